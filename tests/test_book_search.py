"""The search of the built book: every spelling of a term, stems and pairs of characters, sentences, both languages."""

import re
from urllib.parse import quote, urlsplit

import pytest
from browser_fixtures import LANGUAGES

TITLES = {"en": "Search", "zh": "搜索"}
# the words of each language that a reader asks for, as far as the chapters use them
TERMS = {
    "en": ["normaliz", "normalising", "moving average", "variance", "mini-batch", "batch norm"],
    "zh": ["归一", "均值", "方差", "移动", "BN层", "批量归一化", "批量规范化", "minibatch"],
}
SPELLINGS = {
    "en": [
        ["BN", "batch norm", "Batch Normalization", "BatchNorm", "批量归一化"],
        ["minibatch", "mini-batch", "小批量"],
    ],
    "zh": [["批量归一化", "批量规范化", "批标准化", "BatchNorm", "batch normalization"], ["小批量", "mini-batch"]],
}


@pytest.fixture(params=["http", "file"])
def book(request):
    return request.getfixturevalue({"http": "served_book", "file": "file_book"}[request.param])


def look(open_page, book: str, language: str, query: str):
    """The search page of a language, once it has answered."""
    page, troubles = open_page(f"{book}/chapters/{language}/search.html?q={quote(query)}")
    page.locator("#search-results p.search-summary:not(:empty)").wait_for()
    return page, troubles


def addresses(page) -> list[str]:
    return [link.evaluate("link => link.href") for link in page.locator("#search-results ul.search li > a").all()]


@pytest.mark.parametrize(("language", "term"), [(code, term) for code, terms in TERMS.items() for term in terms])
def test_a_term_is_found_from_a_page_by_keyboard_in_its_language(book, open_page, language, term):
    page, troubles = open_page(f"{book}/chapters/{language}/02_formulas.html")
    page.keyboard.press("Control+k")
    field = page.locator("dialog input[type=search], .search-button__search-container input[type=search]").first
    field.fill(term)
    field.press("Enter")
    page.wait_for_url(f"**/chapters/{language}/search.html?**")
    page.locator("#search-results p.search-summary:not(:empty)").wait_for()
    found = addresses(page)
    assert len(found) > 2 and {re.search("/(?:chapters|api)/(..)/", one)[1] for one in found} == {language}
    assert not [one for one in found if re.search("colab|local|search.html", urlsplit(one).path)]
    assert page.locator("html").get_attribute("lang") == LANGUAGES[language]
    assert page.locator("main h1").inner_text() == TITLES[language]
    assert page.locator(".bd-search-container input").input_value() == term
    page.locator("#search-results ul.search a").first.click()
    page.wait_for_url(re.compile(f"/(chapters|api)/{language}/(?!search)"))
    assert troubles == []


@pytest.mark.parametrize(("language", "group"), [(code, group) for code in SPELLINGS for group in SPELLINGS[code]])
def test_all_spellings_of_a_term_find_the_same(file_book, open_page, language, group):
    found = []
    for spelling in group:
        page, _ = look(open_page, file_book, language, spelling)
        entry = page.locator("li.search-term")
        assert entry.count() == 1 and len(entry.locator("p").inner_text()) > 10  # its definition stands first
        found.append({urlsplit(one).path for one in addresses(page)})
        page.context.close()
    chapters = [{path for path in paths if "/chapters/" in path} for paths in found]
    assert chapters[0] and all(paths >= chapters[0] for paths in chapters)


@pytest.mark.parametrize(
    ("language", "query", "heading", "said"),
    [
        ("en", "unbiased variance", "Biased to normalize, unbiased to store", "unbiased variance"),
        ("zh", "反向传播", "手写反向传播", "反向传播"),
    ],
)
def test_a_result_names_its_section_and_shows_the_sentence(book, open_page, language, query, heading, said):
    page, troubles = look(open_page, book, language, query)
    result = page.locator("#search-results ul.search li:not(.search-term)", has_text=heading).first
    assert said in result.locator(".context").inner_text()
    assert said.split()[0] in result.locator(".context mark").inner_text()
    for context in page.locator("#search-results .context").all():
        text = context.inner_text()
        assert 0 < len(text) <= 300 and not re.search(r"\\[a-z]+\{|import |\$", text)  # no code, no TeX
        assert not re.search("[，。：；？！] ", text)
    result.locator("a").click()
    page.wait_for_url(f"**/chapters/{language}/0*.html#*")
    page.locator(f"[id='{urlsplit(page.url).fragment}']").locator("h1, h2, h3").first.wait_for()
    assert troubles == []


@pytest.mark.parametrize(
    ("language", "query", "term"),
    [
        ("en", "mini-batches", "minibatch"),
        ("en", "vanishing gradients", "vanishing / exploding gradient"),
        ("en", "bias", "bias"),  # not "shift parameter", which is called so as well
        ("zh", "ＢＮ", "批量归一化"),
        ("zh", "梯度弥散", "梯度消失 / 梯度爆炸"),
    ],
)
def test_a_term_is_known_in_the_plural_in_wide_letters_and_by_its_own_name_first(
    file_book, open_page, language, query, term
):
    page, _ = look(open_page, file_book, language, query)
    assert page.locator("li.search-term > a").inner_text().split(" › ")[1] == term
    assert len(addresses(page)) > 1


@pytest.mark.parametrize(
    ("language", "query", "heading"),
    [
        ("en", "epsilon", "Why is ε inside the root?"),
        ("zh", "epsilon", "ε为什么在根号里面？"),
        ("zh", "为什么要加beta", "刚刚归一化，为什么又要乘γ加β？"),  # Latin and Chinese: pages that have both
    ],
)
def test_letters_and_their_names_find_the_same_and_every_word_counts(file_book, open_page, language, query, heading):
    page, _ = look(open_page, file_book, language, query)
    assert page.locator("#search-results ul.search li > a").first.inner_text().split(" › ")[1] == heading


@pytest.mark.parametrize("query", ["bnlib.norm.batch_norm", "batch_norm", "fold_batch_norm"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_in_code_leads_to_its_reference(file_book, open_page, language, query):
    page, _ = look(open_page, file_book, language, query)
    first = [urlsplit(one) for one in addresses(page) if "glossary" not in one][:2]
    assert f"bnlib.norm.{query.rsplit('.', 1)[-1]}" in [one.fragment for one in first]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_other_language_is_one_click_away(book, open_page, language):
    (other,) = set(LANGUAGES) - {language}
    page, troubles = look(open_page, book, language, "LeNet")
    status = page.locator("#search-results [role=status]")
    count = int(re.findall(r"\d+", status.locator("a").inner_text())[0])
    assert bool(re.search("[一-鿿]", status.inner_text())) == (language == "zh")
    status.locator("a").click()
    page.wait_for_url(f"**/chapters/{other}/search.html?q=LeNet")
    page.locator("#search-results p.search-summary:not(:empty)").wait_for()
    assert int(re.findall(r"\d+", page.locator("#search-results [role=status]").inner_text())[0]) == count
    page.locator("a.language-switch").click()
    page.wait_for_url(f"**/chapters/{language}/search.html?q=LeNet")
    assert troubles == []


@pytest.mark.parametrize(("language", "said"), [("en", "Nothing found"), ("zh", "没有找到")])
def test_that_nothing_was_found_is_said_in_the_pages_language(book, open_page, language, said):
    page, troubles = look(open_page, book, language, "xylophone")
    assert said in page.locator("#search-results [role=status]").inner_text()
    assert addresses(page) == [] and troubles == []


@pytest.mark.parametrize(("language", "said"), [("en", "Searching"), ("zh", "正在搜索")])
def test_that_it_is_searching_is_said_in_the_pages_language(served_book, open_page, language, said):
    page, _ = open_page(f"{served_book}/chapters/{language}/index.html")
    page.route("**/search-*.js", lambda route: None)  # it does not come
    page.goto(f"{served_book}/chapters/{language}/search.html?q=BatchNorm", wait_until="domcontentloaded")
    assert page.locator("#search-results h2").inner_text().rstrip(".") == said
