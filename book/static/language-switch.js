// Take the reader to the section that is being read, in the other language.
document.addEventListener("DOMContentLoaded", () => {
  const link = document.querySelector(".language-switch");
  if (!link) return;
  const page = link.getAttribute("href");
  const anchors = JSON.parse(link.dataset.anchors);

  // the last section whose heading is above the upper third of the window
  function sectionInView() {
    let found = null;
    for (const id of Object.keys(anchors)) {
      const heading = document.getElementById(id);
      if (heading && heading.getBoundingClientRect().top < window.innerHeight / 3) found = id;
    }
    return found;
  }

  function aim() {
    const section = window.scrollY > 0 ? sectionInView() : decodeURIComponent(location.hash.slice(1));
    const there = anchors[section];
    link.setAttribute("href", there ? `${page}#${there}` : page);
  }

  for (const event of ["pointerdown", "focus", "click"]) link.addEventListener(event, aim);
});

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-action=print]")) button.addEventListener("click", () => print());
});
