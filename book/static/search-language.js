// Keep a search in the language of the page it was started from, and let the search page speak it.
document.addEventListener("DOMContentLoaded", () => {
  const asked = new URLSearchParams(location.search).get("lang");
  const own = location.pathname.includes("/chapters/zh/") ? "zh" : location.pathname.includes("/chapters/en/") ? "en" : "";
  const onResults = document.getElementById("search-results") !== null;
  const language = own || asked || (navigator.language.startsWith("zh") ? "zh" : "en");

  for (const form of document.querySelectorAll("form.bd-search")) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "lang";
    field.value = language;
    form.append(field);
  }
  if (!onResults || typeof Search === "undefined") return;

  const every = Search._performSearch;
  Search._performSearch = (...words) =>
    every(...words).filter(([page]) => !page.startsWith("chapters/") || page.startsWith(`chapters/${language}/`));

  if (language !== "zh") return;
  document.documentElement.lang = "zh-CN";
  document.title = document.title.replace(/^Search/, "搜索");
  const said = {
    "Search": "搜索",
    "Searching": "正在搜索",
    "Preparing search...": "正在准备搜索……",
    "Search Results": "搜索结果",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "没有找到。换一个词，或者少用几个词再试。",
    "Search finished, found one page matching the search query.": "找到1页。",
    "Search finished, found ${resultCount} pages matching the search query.": "找到${resultCount}页。",
    "Search finished, found %s page(s) matching the search query.": "找到%s页。",
  };
  Documentation.addTranslations({ messages: said, locale: "zh_CN", plural_expr: "0" });
  for (const heading of document.querySelectorAll("h1, h2")) {
    if (said[heading.textContent.trim()]) heading.textContent = said[heading.textContent.trim()];
  }
  for (const field of document.querySelectorAll("form.bd-search input[type=search]")) {
    field.placeholder = "搜索……";
    field.setAttribute("aria-label", "搜索");
  }
});
