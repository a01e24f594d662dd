// Take the reader to the section that is being read, in the other language, and remember the choice; and let the print
// button print.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-action=print]")) button.addEventListener("click", () => print());

  // what the reader has chosen, for choose-language.js
  for (const choice of document.querySelectorAll(".language-switch, .landing a")) {
    choice.addEventListener("click", () => {
      try {
        localStorage.setItem("book-language", choice.closest("[lang]").lang);
      } catch (error) {
        // a browser that keeps nothing for this page will ask again
      }
    });
  }

  const link = document.querySelector(".language-switch");
  if (!link) return;
  const page = link.getAttribute("href");
  const anchors = new Map(Object.entries(JSON.parse(link.dataset.anchors)));
  const top = (id) => document.getElementById(id).getBoundingClientRect().top;

  // the section that the address names, as long as its beginning is in sight
  function sectionNamed() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const section = target && (anchors.has(target.id) ? target : target.closest("section[id]"));
    const seen = section && anchors.has(section.id) && top(section.id) > -1 && top(section.id) < window.innerHeight;
    return seen ? section.id : null;
  }

  // else the last one, section, term or equation, that begins in the upper third of the window or above it
  function sectionInView() {
    const begun = [...anchors.keys()].filter((id) => document.getElementById(id) && top(id) < window.innerHeight / 3);
    return window.scrollY > 0 ? begun.sort((a, b) => top(a) - top(b)).at(-1) : undefined;
  }

  function aim() {
    const there = anchors.get(sectionNamed() || sectionInView());
    link.setAttribute("href", page + location.search + (there ? `#${there}` : "")); // a search, a widget's setting
  }

  for (const event of ["pointerdown", "focus", "click"]) link.addEventListener(event, aim);
});
