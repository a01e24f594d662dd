// Where the address asks for something, what the search needs is on its way before its scripts are (search-results.js).
(() => {
  const { lang, dataset } = document.documentElement;
  if (!new URLSearchParams(location.search).get("q")) return;
  const href = `${dataset.content_root}_static/search-${lang.slice(0, 2)}.js`;
  document.head.append(Object.assign(document.createElement("link"), { rel: "preload", as: "script", href }));
})();
