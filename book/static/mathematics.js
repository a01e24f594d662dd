// Formulas: what is wider than its place can be scrolled by keyboard; a symbol says what it is, a reference shows its
// equation. A formula itself stays plain: what is said stands in the list at the end of the page.
document.addEventListener("DOMContentLoaded", () => {
  const said = {
    en: { equation: (number) => `Equation ${number}`, formula: "Formula", wide: "wider than the page, scrolls sideways", keys: "arrow keys explain its symbols", comma: ", " },
    zh: { equation: (number) => `公式${number}`, formula: "公式", wide: "比页面宽，可左右滚动", keys: "用方向键查看其中的符号", comma: "，" },
  }[document.documentElement.lang.startsWith("zh") ? "zh" : "en"];
  const stops = [...document.querySelectorAll(".math-scroll, span.math")];
  const symbolsOf = (stop) => [...stop.querySelectorAll("[data-symbol]")];

  // which formulas the Tab key stops at, and what they are called there
  let explaining = false;
  function aim(stop) {
    const wide = stop.matches(".math-scroll") && stop.scrollWidth > stop.clientWidth + 1;
    const explained = explaining && symbolsOf(stop).length > 0;
    if (!wide && !explained) {
      for (const name of ["tabindex", "role", "aria-label"]) stop.removeAttribute(name);
      return;
    }
    const number = stop.parentElement.querySelector(":scope > .eqno");
    const name = number ? said.equation(number.textContent) : said.formula;
    stop.setAttribute("tabindex", "0");
    stop.setAttribute("role", "group");
    stop.setAttribute("aria-label", [name, ...(wide ? [said.wide] : []), ...(explained ? [said.keys] : [])].join(said.comma));
  }
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => aim(entry.target)));
  for (const stop of stops) if (stop.matches(".math-scroll")) watch.observe(stop);

  // the explanation at a symbol or reference
  const tip = document.createElement("div");
  tip.className = "symbol-tip";
  tip.id = "symbol-tip";
  tip.setAttribute("role", "tooltip");
  tip.setAttribute("aria-live", "polite");
  tip.hidden = true;
  document.body.append(tip);
  let shownAt = null;
  let closing = 0;
  let dismissed = false; // by Escape: what comes to lie under a resting pointer then is not shown

  function contents(element) {
    if (element.matches("a")) {
      const place = new URL(element.href);
      const equation = place.pathname === location.pathname && document.getElementById(place.hash.slice(1));
      return equation ? [equation.querySelector("math").cloneNode(true)] : [];
    }
    const term = document.getElementById(`symbol-${element.dataset.symbol}`);
    if (!term) return [];
    const meaning = document.createElement("span");
    const where = term.nextElementSibling.querySelector(".symbol-where").textContent;
    meaning.textContent = term.nextElementSibling.querySelector(".symbol-said").textContent;
    if (where.startsWith("(")) meaning.textContent += ` ${where}`;
    return [element.cloneNode(true), meaning].map((part, n) => (n ? part : inMath(part)));
  }
  function inMath(part) {
    const math = document.createElementNS("http://www.w3.org/1998/Math/MathML", "math");
    math.append(part);
    return math;
  }
  function show(element) {
    clearTimeout(closing);
    if (element === shownAt) return;
    hide();
    const parts = contents(element);
    if (!parts.length) return;
    shownAt = element;
    element.classList.add("symbol-shown");
    tip.replaceChildren(...parts);
    tip.hidden = false;
    tip.style.fontSize = "";
    const wide = tip.scrollWidth / tip.clientWidth;
    if (wide > 1) tip.style.fontSize = `${0.93 / wide}rem`; // an equation wider than a phone
    const place = element.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    const line = (element.closest("div.math") || element).getBoundingClientRect(); // an equation stays in sight whole
    const below = line.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.left = `${scrollX + Math.max(8, Math.min(place.left, room))}px`;
    tip.style.top = `${scrollY + (below ? line.bottom + 6 : line.top - 6 - tip.offsetHeight)}px`;
  }
  function hide() {
    clearTimeout(closing);
    shownAt?.classList.remove("symbol-shown");
    shownAt = null;
    tip.hidden = true;
  }
  const explained = (target) => target.closest?.("article [data-symbol], article a.equation-link");

  document.addEventListener("pointerover", (event) => {
    const element = explained(event.target);
    if (element && event.pointerType !== "touch" && !dismissed) show(element);
    else if (tip.contains(event.target)) clearTimeout(closing);
  });
  document.addEventListener("pointermove", (event) => {
    if (event.movementX || event.movementY) dismissed = false;
  });
  document.addEventListener("pointerout", (event) => {
    if (shownAt && event.pointerType !== "touch") closing = setTimeout(hide, 200); // time to move onto the explanation
  });
  document.addEventListener("click", (event) => {
    const element = explained(event.target);
    if (element?.matches("[data-symbol]")) show(element);
    else if (!tip.contains(event.target)) hide();
  });
  document.addEventListener("focusin", (event) => {
    const element = event.target;
    if (!element.matches(":focus-visible")) return;
    if (element.matches("article a.equation-link")) show(element);
    else if (explaining && stops.includes(element) && symbolsOf(element).length) show(symbolsOf(element)[0]);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      hide();
      dismissed = true;
    }
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const symbols = explaining && stops.includes(event.target) ? symbolsOf(event.target) : [];
    const next = symbols[symbols.indexOf(shownAt) + step];
    if (!step || !next) return;
    event.preventDefault();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
    show(next);
  });

  // the switch for readers without a mouse, off until they ask
  const keys = document.querySelector(".symbols-keys");
  if (!keys) return;
  const button = keys.querySelector("button");
  function explain(on) {
    explaining = on;
    button.setAttribute("aria-pressed", String(on));
    stops.forEach(aim);
  }
  keys.hidden = false;
  button.addEventListener("click", () => {
    explain(!explaining);
    localStorage.setItem("course-symbols", explaining ? "keys" : "");
  });
  explain(localStorage.getItem("course-symbols") === "keys");
});
