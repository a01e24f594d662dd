// On a page that belongs to neither language: lead to the reader's own. It is the one chosen last, else the first of the
// browser's languages that the book has. Who asks to choose (index.html?choose), or reads neither, stays. Not deferred:
// nothing is shown and then taken away.
(() => {
  const places = new Map([...document.querySelectorAll("link[rel=alternate][hreflang]")].map((link) => [link.hreflang, link.href]));
  const tags = [...places.keys()].filter((tag) => tag !== "x-default");
  const like = (wanted) => tags.find((tag) => tag.split("-")[0] === wanted.toLowerCase().split("-")[0]);
  let chosen = null;
  try {
    chosen = localStorage.getItem("book-language");
  } catch (error) {
    // a browser that keeps nothing for this page: its languages decide
  }
  const query = new URLSearchParams(location.search);
  const searching = query.has("q");
  const tag = [query.get("lang"), chosen, ...navigator.languages].filter(Boolean).map(like).find(Boolean);
  if (query.has("choose") || (!tag && !searching)) return;
  query.delete("lang");
  const text = query.toString();
  location.replace(places.get(tag ?? tags[0]) + (text ? `?${text}` : "") + location.hash);
})();
