"""Search for both languages in one index: English words by their stems, Chinese by characters and their pairs.

Chinese has no spaces, and a dictionary's word boundaries miss terms such as 归一 or 移动平均; pairs of neighbouring
characters find any word of two or more. The text is split here, the query in the browser (js_splitter_code): both give
the same words, but single characters of a longer run are indexed without being asked for.
"""

import re

from sphinx.search import languages
from sphinx.search.en import SearchEnglish

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_RUNS = re.compile(rf"[{_HAN}]+|[^\W{_HAN}]+")


class BilingualSearch(SearchEnglish):
    """Sphinx' English search, with runs of Chinese characters as pairs."""

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
        for run in _RUNS.findall(input):
            if re.match(f"[{_HAN}]", run):
                words.extend(run)
                words.extend(run[i : i + 2] for i in range(len(run) - 1))
            else:
                words.append(run)
        return words

    def stem(self, word: str) -> str:
        return super().stem(word) if word.isascii() else word


def setup(app) -> None:
    languages["en"] = BilingualSearch
    app.add_js_file("search-language.js", loading_method="defer")
