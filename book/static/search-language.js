// Keep a search in the language of the page it was started from, and let the search page speak it.
(() => {
  const folder = location.pathname.match(/\/(?:chapters|api)\/(en|zh)\//);
  const asked = new URLSearchParams(location.search).get("lang");
  const guessed = navigator.language.startsWith("zh") ? "zh" : "en";
  const language = (folder && folder[1]) || (["en", "zh"].includes(asked) ? asked : guessed);
  const said = {
    "Search": "搜索",
    "Searching": "正在搜索",
    "Preparing search...": "正在准备搜索……",
    "Search Results": "搜索结果",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "没有找到。换一个词，或者少用几个词再试。",
    "Search finished, found ${resultCount} page(s) matching the search query.": "找到${resultCount}页。",
  };

  // a word that is in no page, by the longest word of the index that it begins with: normaliz, normalised -> normal
  function known(word) {
    const terms = [...Object.keys(Search._index.terms), ...Object.keys(Search._index.titleterms)];
    if (terms.some((term) => term.includes(word))) return word;
    const beginnings = terms.filter((term) => term.length > 3 && word.startsWith(term));
    return beginnings.reduce((longest, term) => (term.length > longest.length ? term : longest), "") || word;
  }

  // of a result: the sentence of the article that holds what was asked, and what follows it
  function summary(html, keywords) {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector("article");
    for (const part of article.querySelectorAll("h1, .headerlink, .cell, .math, script, style")) part.remove();
    const text = article.textContent.replace(/\s+/g, " ").trim();
    const query = new URLSearchParams(location.search).get("q").trim();
    const found = [query, ...keywords].map((word) => text.toLowerCase().indexOf(word.toLowerCase()));
    const at = Math.max(found.find((place) => place > -1) ?? 0, 0);
    const before = [...text.slice(0, at).matchAll(/[。？！]|[.?!:] /g)].map((end) => end.index + end[0].length);
    const start = Math.max(before.at(-1) ?? 0, at - 120);
    const paragraph = document.createElement("p");
    paragraph.className = "context";
    paragraph.textContent = text.slice(start, start + (language === "zh" ? 120 : 240)).trim() + "…";
    return paragraph;
  }

  if (typeof Search !== "undefined") {
    const every = Search._performSearch;
    Search._performSearch = (...words) => every(...words).filter(([page]) => page.split("/")[1] === language);
    const byTerms = Search.performTermsSearch;
    Search.performTermsSearch = (words, ...more) => byTerms(new Set([...words].map(known)), ...more);
    Search.makeSearchSummary = summary;
    // a page opened from a file may not read its neighbours, from which summaries come
    if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
    // not by Documentation.addTranslations, which makes a function from text: the page's policy forbids that
    if (language === "zh") Object.assign(Documentation.TRANSLATIONS, said);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const form of document.querySelectorAll("form.bd-search")) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "lang";
      field.value = language;
      form.append(field);
    }
    if (language !== "zh" || folder || !document.getElementById("search-results")) return;
    document.documentElement.lang = "zh-CN";
    document.title = document.title.replace(/^Search/, said.Search);
    for (const heading of document.querySelectorAll("h1, h2")) {
      heading.textContent = said[heading.textContent.trim()] || heading.textContent;
    }
    for (const label of document.querySelectorAll(".search-button__default-text")) label.textContent = said.Search;
    for (const field of document.querySelectorAll("form.bd-search input[type=search]")) {
      field.placeholder = "搜索……";
      field.setAttribute("aria-label", said.Search);
    }
  });
})();
