// A page on paper: what is folded is unfolded and a dark page becomes light, for as long as it is printed. The data of a
// figure are printed only where the reader has unfolded them: their tables can be wider than any paper.
(() => {
  const root = document.documentElement;
  let folded = [], theme = null;
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("article details:not([open], .bnlib-data)")];
    for (const box of folded) box.open = true;
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    for (const box of folded) box.open = false;
    if (theme) root.dataset.theme = theme;
  });
})();
