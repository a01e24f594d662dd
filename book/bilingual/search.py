"""Search for both languages in one index: English words by their stems, Chinese by pairs of characters.

Chinese has no spaces, and a dictionary's word boundaries miss terms such as 归一 or 移动平均; every pair of
neighbouring characters finds any word of two or more. The same splitting runs here on the text and in the browser on
the query.
"""

import re

from sphinx.search import languages
from sphinx.search.en import SearchEnglish

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_TOKENS = re.compile(rf"[{_HAN}]+|[^\W{_HAN}]+")


class BilingualSearch(SearchEnglish):
    """Sphinx' English search, with Chinese runs of text as character pairs."""

    js_splitter_code = """
function splitQuery(query) {
  const words = [];
  const han = /^[\\u3400-\\u4dbf\\u4e00-\\u9fff]/;
  const runs = /[\\u3400-\\u4dbf\\u4e00-\\u9fff]+|(?:(?![\\u3400-\\u4dbf\\u4e00-\\u9fff])[\\p{L}\\p{N}_])+/gu;
  for (const run of query.match(runs) || []) {
    if (!han.test(run) || run.length === 1) words.push(run);
    else for (let i = 0; i + 1 < run.length; i++) words.push(run.slice(i, i + 2));
  }
  return words;
}
"""

    def split(self, input: str) -> list[str]:
        words = []
        for run in _TOKENS.findall(input):
            if len(run) == 1 or not re.match(f"[{_HAN}]", run):
                words.append(run)
            else:
                words.extend(run[i : i + 2] for i in range(len(run) - 1))
        return words

    def stem(self, word: str) -> str:
        return super().stem(word) if word.isascii() else word


def setup(app) -> None:
    languages["en"] = BilingualSearch
    app.add_js_file("search-language.js", loading_method="defer")
