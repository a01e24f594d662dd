// Light or dark, before anything is painted: what the reader chose, else what the system prefers. Loaded in the head,
// not deferred; the theme's own script takes over from here.
(() => {
  const root = document.documentElement;
  let mode = null;
  try {
    mode = localStorage.getItem("mode");
  } catch (error) {
    // a browser that keeps nothing for this page: the system's preference holds
  }
  root.dataset.mode = ["light", "dark"].includes(mode) ? mode : "auto";
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = root.dataset.mode === "auto" ? (dark ? "dark" : "light") : root.dataset.mode;
})();
