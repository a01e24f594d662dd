// Keep a search in the language of the page it was started from, and let the search page speak it.
(() => {
  const folder = location.pathname.match(/\/chapters\/(en|zh)\//);
  const asked = new URLSearchParams(location.search).get("lang");
  const language = (folder && folder[1]) || asked || (navigator.language.startsWith("zh") ? "zh" : "en");
  const said = {
    "Search": "搜索",
    "Searching": "正在搜索",
    "Preparing search...": "正在准备搜索……",
    "Search Results": "搜索结果",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "没有找到。换一个词，或者少用几个词再试。",
    "Search finished, found one page matching the search query.": "找到1页。",
    "Search finished, found ${resultCount} pages matching the search query.": "找到${resultCount}页。",
  };

  if (typeof Search !== "undefined") {
    const every = Search._performSearch;
    Search._performSearch = (...words) =>
      every(...words).filter(([page]) => page.startsWith(`chapters/${language}/`) && !page.endsWith("/colab"));
    // a page opened from a file may not read its neighbours, from which snippets come
    if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
    if (language === "zh") Documentation.addTranslations({ messages: said, locale: "zh_CN", plural_expr: "0" });
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
    for (const field of document.querySelectorAll("form.bd-search input[type=search]")) {
      field.placeholder = "搜索……";
      field.setAttribute("aria-label", said.Search);
    }
  });
})();
