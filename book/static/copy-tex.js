// What is copied from a page holds its formulas as TeX, ready for a notebook: MathML as plain text is a heap of letters.
(() => {
  const formulaAround = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement).closest("[data-tex]");

  // a selection that begins or ends inside a formula takes all of it
  function selected() {
    const range = getSelection().getRangeAt(0).cloneRange();
    const [first, last] = [formulaAround(range.startContainer), formulaAround(range.endContainer)];
    if (first) range.setStartBefore(first);
    if (last) range.setEndAfter(last);
    return range.cloneContents();
  }

  document.addEventListener("copy", (event) => {
    if (getSelection().isCollapsed) return;
    const box = document.createElement("div");
    box.append(selected());
    const formulas = box.querySelectorAll("[data-tex]");
    if (!formulas.length) return;
    event.clipboardData.setData("text/html", box.innerHTML);
    for (const formula of formulas) {
      const tex = formula.dataset.tex;
      formula.replaceChildren(formula.matches("div") ? `$$${tex}$$` : `$${tex}$`);
    }
    box.style.cssText = "position: fixed; inset-inline-start: -200vw; white-space: pre-line"; // drawn, so that lines are lines
    document.body.append(box);
    event.clipboardData.setData("text/plain", box.innerText);
    box.remove();
    event.preventDefault();
  });
})();
