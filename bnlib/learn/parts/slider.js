// A slider shows its trait, whoever changes that; `change` takes the place of ui.set.

// from low to high (the trait's limits) by `step`, or over the list `values`; `show` says a value
function slider(ui, trait, label, options = {}) {
  const { low = ui.limits[trait].min, high = ui.limits[trait].max, step = 0.1, values = null, change = ui.set } = options;
  const { show = (value) => fixed(value, 1) } = options;
  const [min, max] = values ? [0, values.length - 1] : [low, high];
  const range = make("input", { type: "range", min, max, step: values ? 1 : step, "data-trait": trait });
  const output = make("output");
  const nearest = (value) => values.reduce((best, one, i) => (Math.abs(one - value) < Math.abs(values[best] - value) ? i : best), 0);
  range.addEventListener("input", () => {
    change({ [trait]: values ? values[Number(range.value)] : Number(range.value) });
  });
  ui.updates.push(() => {
    const value = ui.state()[trait];
    if (!values) Object.assign(range, { min: Math.min(low, value), max: Math.max(high, value) }); // a link's may lie outside
    range.value = values ? nearest(value) : value;
    output.textContent = show(value);
    range.setAttribute("aria-valuetext", show(value));
  });
  const node = make("label", {}, label);
  node.append(range, output);
  ui.add(node);
  return range;
}
