// What scrolls inside of itself can be reached and scrolled by keyboard: a stop for the Tab key, where it is needed.
(() => {
  const boxes = document.querySelectorAll(
    "article :is(pre, div.math, .cell_output .text_html, .pst-scrollable-table-container)",
  );
  const scrolls = (box) => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
  const look = (box) => {
    if (scrolls(box)) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => look(entry.target)));
  for (const box of boxes) watch.observe(box);
})();
