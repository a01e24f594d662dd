"""Learners' questions: each is answered in both languages, leads to where it is shown, and is found by its words."""

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
# what a learner types, in the order of the page
QUERIES = {
    "en": [
        "model.eval worse overfitting",
        "no_grad eval",
        "forget eval test time",
        "predict single image",
        "Expected more than 1 value per channel",
        "batch size 1",
        "biased or unbiased variance",
        "momentum 0.1 or 0.9",
        "running mean vanish saved",
        "convolution one mean per pixel",
        "gradient accumulation",
        "before or after ReLU",
        "need the bias before BN",
        "why γ and β",
        "normalize the inputs of the network",
        "internal covariate shift removes",
        "dropout together with BN",
        "weight decay γ β",
        "freeze BN fine-tune",
        "several GPUs",
        "NaN mixed precision",
        "install d2l",
    ],
    "zh": [
        "eval之后精度差",
        "no_grad和eval",
        "测试时忘了eval",
        "单张图片预测",
        "Expected more than 1 value per channel",
        "批量大小只有1",
        "方差有偏无偏",
        "momentum是0.1还是0.9",
        "保存模型 移动均值不见了",
        "每个像素一个均值",
        "梯度累积",
        "ReLU之前还是之后",
        "BN前面的层 偏置",
        "为什么乘γ加β",
        "输入标准化",
        "内部协变量转移",
        "丢弃法和BN一起用",
        "权重衰减γ β",
        "微调 冻结BN",
        "多个GPU",
        "混合精度 NaN",
        "安装d2l",
    ],
}


def questions(language: str) -> list[str]:
    return re.findall(r"(?m)^### (.*)$", (CHAPTERS / language / "questions.md").read_text(encoding="utf-8"))


def test_every_question_has_its_query_and_an_answer():
    for language, queries in QUERIES.items():
        text = (CHAPTERS / language / "questions.md").read_text(encoding="utf-8")
        answers = re.split(r"(?m)^#{1,3} .*$", text)[1:]
        assert len(queries) == len(questions(language)) == 22
        assert all(len(answer.strip()) > 60 for answer in answers if answer.strip())


def test_both_languages_lead_to_the_same_places():
    places = []
    for language in QUERIES:
        text = (CHAPTERS / language / "questions.md").read_text(encoding="utf-8")
        sections = re.split(r"(?m)^### ", text)[1:]
        places.append([re.findall(r"\]\(([^)]+)\)", section) for section in sections])
    assert places[0] == places[1]
    assert all(places[0])  # each answer leads to where it is shown


@pytest.mark.parametrize("language", QUERIES)
def test_the_sections_named_exist(language):
    """What stands in quotation marks beside a link to a chapter is a heading of that chapter."""
    text = (CHAPTERS / language / "questions.md").read_text(encoding="utf-8")
    pattern = {"en": r'\]\((\d\w+\.ipynb)\), "([^"]+)"', "zh": r"\]\((\d\w+\.ipynb)\)(?:一章)?的“([^”]+)”"}[language]
    found = re.findall(pattern, text)
    assert len(found) >= 14
    for name, heading in found:
        chapter = (CHAPTERS / language / name).read_text(encoding="utf-8").replace('\\"', '"')
        headings = [re.sub(r"[`？?]", "", h) for h in re.findall(r'"#{2,3} (.*?)(?:\\n)?",?\n', chapter)]
        assert re.sub(r"[`？?]", "", heading) in headings, (name, heading)


@pytest.mark.parametrize(("language", "number"), [(code, n) for code in QUERIES for n in range(22)])
def test_the_search_finds_it(file_book, open_page, language, number):
    query, question = QUERIES[language][number], questions(language)[number]
    page, _ = open_page(f"{file_book}/chapters/{language}/search.html?q={quote(query)}")
    page.locator("#search-results p.search-summary:not(:empty)").wait_for()
    links = page.locator("#search-results ul.search li a").all()
    found = [one for one in links if "/questions.html" in urlsplit(one.evaluate("link => link.href")).path]
    assert found, query
    said = re.sub(r"\W", "", " ".join(one.evaluate("link => link.closest('li').innerText") for one in found))
    assert re.sub(r"\W", "", question.replace("`", "")) in said, query
    page.context.close()
