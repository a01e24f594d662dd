"""What a check has found, as it is read: in both languages, in any host, with nothing of the answer's own as markup."""

import re
from html.parser import HTMLParser

import pytest
import torch
from torch.nn import functional as F

import bnlib
from bnlib.learn import check

pytestmark = pytest.mark.usefixtures("english")


def right(X, eps):
    return F.batch_norm(X, None, None, training=True, eps=eps)


def raises(X, eps):
    mean = X.mean(dim=0)
    return mean @ X.view(3, 7)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", ["Not yet: Normalize a batch", "divides by n - 1", "Input: ", "Yours: ", "Expected: "]),
        ("zh", ["还不对：归一化一个小批量", "除以n - 1", "输入：", "你的结果：", "正确结果："]),
    ],
)
def test_the_report_speaks_the_language_of_the_moment(code, words):
    bnlib.set_language(code)
    report = bnlib.learn.check("normalize", lambda X, eps: (X - X.mean(0)) / torch.sqrt(X.var(0) + eps))
    assert all(word in str(report) for word in words) and repr(report) == str(report)
    assert "X = [[1], [3]], eps = 0.25" in str(report) and "normalized = [[-0.6667], [0.6667]]" in str(report)
    html = report._repr_html_()
    assert report.lang == code and f'lang="{code}"' in html and all(word in html for word in words)
    bnlib.set_language("en")
    assert words[0] in str(report)  # it stays as it was made


class Reader(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_what_comes_from_the_answer_is_text_in_the_page():
    def evil(X, eps):
        raise ValueError("<script>alert(1)</script> `<b>` & \"'")  # <img src=x onerror=alert(1)>

    report = check("normalize", evil)
    page = Reader(report._repr_html_())
    assert {tag for tag, _ in page.tags} == {"div", "p", "strong", "code"} and not page.open
    assert "<script>alert(1)</script> <b> & \"'" in page.text and "<img src=x" in page.text
    assert all(set(attributes) <= {"class", "lang", "style"} for _, attributes in page.tags)


def test_the_html_keeps_the_hosts_colors():
    for answer in (right, raises):
        styles = [
            attributes.get("style", "") for _, attributes in Reader(check("normalize", answer)._repr_html_()).tags
        ]
        assert not [style for style in styles if re.search(r"(^|[; ])(color|background|font)", style)]
