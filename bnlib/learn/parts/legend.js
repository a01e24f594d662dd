// what the lines of a picture stand for: [[class of the line, its name], ...]
function legend(ui, entries) {
  const node = ui.scene.appendChild(make("p", { class: "legend" }));
  for (const [kind, name] of entries) {
    const sample = draw("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" });
    sample.append(draw("path", { d: "M1 5H27", class: kind }));
    node.appendChild(make("span")).append(sample, name);
  }
}
