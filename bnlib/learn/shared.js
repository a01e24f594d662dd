// What every widget stands on. This text is put in front of each module, in a kernel's page (widget.py) and in the book
// alike, so that a module is one file which asks for nothing; hence no import and no export here.

const SVG = "http://www.w3.org/2000/svg";
const DARK = `--ink: #e6edf3; --soft: #98a3ae; --line: #3d444d; --ground: #16191d; --blue: #6cb6e6; --warm: #ffb27a;
  --third: #5fd0ad; --wash: #1d2b38;`;
const STYLE = `
.bnlib-frame { --ink: #1b1f24; --soft: #66707a; --line: #c9d1d9; --ground: #ffffff; --blue: #0072b2; --warm: #b34700;
  --third: #00755a; --wash: #e8f1f8; color: var(--ink); background: var(--ground); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px; max-width: 640px;
  font: 15px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
html[data-theme="dark"] .bnlib-frame, body[data-jp-theme-light="false"] .bnlib-frame { ${DARK} }
@media (prefers-color-scheme: dark) { html:not([data-theme]) body:not([data-jp-theme-light]) .bnlib-frame { ${DARK} } }
${`svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
text { fill: var(--ink); font-size: 14px; } .tick { fill: var(--soft); font-size: 12px; }
.axis { stroke: var(--soft); } .grid { stroke: var(--line); }
path { fill: none; stroke-width: 2.2; stroke-linejoin: round; } .dashed { stroke-dasharray: 6 4; }
.blue { stroke: var(--blue); } .warm { stroke: var(--warm); } .third { stroke: var(--third); }
.knob { cursor: grab; touch-action: none; outline: none; }
.knob circle { fill: var(--ground); stroke: var(--blue); stroke-width: 2.5; }
.knob:is(:focus-visible, .held) circle { stroke: var(--warm); stroke-width: 4; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; margin: 8px 0; }
fieldset { border: 0; margin: 0; padding: 0; display: flex; gap: 4px 14px; flex-wrap: wrap; }
legend { float: left; width: auto; margin: 0; padding: 0; font-size: inherit; line-height: 28px; }
label { display: inline-flex; align-items: center; gap: 6px; min-height: 28px; }
input[type=range] { width: 110px; accent-color: var(--blue); } input { accent-color: var(--blue); margin: 0; }
:is(button, select) { font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--soft); border-radius: 6px; padding: 3px 10px; min-height: 28px; cursor: pointer; }
select option { color: #1b1f24; } p { margin: 4px 0; } .question { font-weight: 600; }
:is(.legend, .legend span) { display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: center; }
.legend span { flex-wrap: nowrap; gap: 8px; } .legend svg { flex: none; width: 28px; }
:is(.numbers, output) { font-variant-numeric: tabular-nums; }
`.replace(/(^|\} )(?=[a-z.:])/gm, "$1.bnlib-frame ")}`; // each rule for what is in the frame

// --- nodes and words

function fill(node, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  // where JupyterLab would take the arrow keys for its own
  if (node.matches("input, button, select, [tabindex]")) node.dataset.lmSuppressShortcuts = "true";
  return node;
}
const make = (tag, attributes = {}, text = undefined) => fill(document.createElement(tag), attributes, text);
const draw = (tag, attributes = {}, text = undefined) => fill(document.createElementNS(SVG, tag), attributes, text);

// "{count} outputs moved" with its fields filled in
const put = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (field, name) => (name in values ? values[name] : field));

// a number with a true minus sign; whatever rounds to zero is written without one
const fixed = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");

// --- the frame: question, scene, controls with a reset, numbers, and what a screen reader is told

// `paint` draws the scene from ui.state(); it is called after each change, whoever made it: reader, address or kernel
function frame({ model, el }, name, paint) {
  const [say, limits] = [model.get("strings"), model.get("limits")];
  const traits = Object.keys(limits);
  const state = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const start = structuredClone(state());
  const root = make("div", { class: `bnlib-frame bnlib-${name}`, lang: model.get("lang") === "zh" ? "zh-CN" : "en" });
  const ui = {
    say, limits, state, start, root, model, narrow: el.clientWidth > 0 && el.clientWidth < 480, updates: [], quiet: false,
    scene: make("div", { class: "scene" }),
    controls: make("div", { class: "controls" }),
    numbers: make("p", { class: "numbers" }),
    readout: make("p", { class: "readout", role: "status", "aria-live": "polite" }, say.start),
    tell: (text) => { if (ui.readout.textContent !== text) ui.readout.textContent = text; },
    add: (node) => ui.controls.insertBefore(node, ui.reset),
    hold, set, repaint, close, keepRoom, onReset: () => {},
  };
  ui.reset = button(say.reset, () => { ui.onReset(); ui.tell(say.start); set(structuredClone(start)); });
  ui.reset.classList.add("reset");
  ui.controls.append(ui.reset);
  root.append(make("style", {}, STYLE), make("p", { class: "question" }, say.question), ui.scene, ui.controls, ui.numbers, ui.readout);
  el.append(root);
  for (const trait of traits) model.on(`change:${trait}`, repaint);
  const rooms = new Map();
  window.addEventListener("resize", measure);
  return ui;

  function repaint() {
    if (ui.quiet) return;
    paint();
    for (const update of ui.updates) update();
  }
  function hold(values) { // for the page alone, as while something is dragged; `set` tells a kernel, too
    ui.quiet = true;
    for (const [trait, value] of Object.entries(values)) model.set(trait, value);
    ui.quiet = false;
    repaint();
  }
  function set(values) {
    hold(values);
    model.save_changes();
  }
  function keepRoom(node, texts) { // for the longest of these, so that nothing below moves when it is said
    rooms.set(node, texts);
    measure();
  }
  function measure() {
    for (const [node, texts] of rooms) {
      const twins = texts.map((text) => root.appendChild(make("p", { class: node.className }, text)));
      node.style.minHeight = `${Math.max(...twins.map((twin) => twin.clientHeight))}px`;
      for (const twin of twins) twin.remove();
    }
  }
  function close() {
    window.removeEventListener("resize", measure);
    for (const trait of traits) model.off(`change:${trait}`, repaint);
    root.remove();
  }
}

// --- controls; each shows its trait, whoever changes that; `change` takes the place of ui.set

function button(text, press) {
  const node = make("button", { type: "button" }, text);
  node.addEventListener("click", press);
  return node;
}

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
    range.value = values ? nearest(value) : value;
    output.textContent = show(value);
    range.setAttribute("aria-valuetext", show(value));
  });
  const node = make("label", {}, label);
  node.append(range, output);
  ui.add(node);
  return range;
}

// one of the trait's values, as radio buttons with a legend
function choice(ui, trait, legend, labels, change = ui.set) {
  const group = `${trait}-${Math.random().toString(36).slice(2)}`;
  const node = make("fieldset");
  node.append(make("legend", {}, legend));
  for (const value of ui.limits[trait]) {
    const radio = make("input", { type: "radio", name: group, value, "data-trait": trait });
    radio.addEventListener("change", () => change({ [trait]: value }));
    ui.updates.push(() => { radio.checked = ui.state()[trait] === value; });
    const label = make("label");
    label.append(radio, labels[value]);
    node.append(label);
  }
  ui.add(node);
}

// one of several values from a list that unfolds
function menu(ui, trait, label, values, { show = String, change = ui.set } = {}) {
  const select = make("select", { "data-trait": trait });
  values.forEach((value, i) => select.append(make("option", { value: i }, show(value))));
  select.addEventListener("change", () => change({ [trait]: values[Number(select.value)] }));
  ui.updates.push(() => { select.value = values.indexOf(ui.state()[trait]); });
  const node = make("label", {}, label);
  node.append(select);
  ui.add(node);
}

function toggle(ui, trait, label, change = ui.set) {
  const box = make("input", { type: "checkbox", "data-trait": trait });
  box.addEventListener("change", () => change({ [trait]: box.checked }));
  ui.updates.push(() => { box.checked = ui.state()[trait]; });
  const node = make("label");
  node.append(box, label);
  ui.add(node);
}

// --- dragging and arrow keys

// from pointerdown on: move(x, y) in the units of the picture's viewBox, and drop() at the end
function drag(event, picture, move, drop) {
  event.preventDefault();
  const view = picture.viewBox.baseVal;
  const moved = ({ clientX, clientY }) => {
    const box = picture.getBoundingClientRect();
    move(view.x + ((clientX - box.left) / box.width) * view.width, view.y + ((clientY - box.top) / box.height) * view.height);
  };
  const dropped = () => {
    window.removeEventListener("pointermove", moved);
    for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, dropped);
    drop();
  };
  window.addEventListener("pointermove", moved);
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, dropped);
}

// where a key takes a value between low and high, null if it is none of a slider's keys
function keyed(event, value, low, high, step) {
  const far = event.shiftKey ? 10 * step : step;
  const by = { ArrowRight: far, ArrowUp: far, ArrowLeft: -far, ArrowDown: -far, PageUp: 10 * step, PageDown: -10 * step };
  const to = { Home: low, End: high }[event.key] ?? value + by[event.key];
  if (Number.isNaN(to)) return null;
  event.preventDefault();
  return Math.min(Math.max(to, low), high);
}

// --- charts

// axes with ticks ([value, text]) and labels; X and Y place values, line and dot draw into a layer that clear() empties
function chart({ width, height, x, y, xTicks, yTicks, xLabel, yLabel, xLog = false, yLog = false, left = 46, label }) {
  const [right, top, bottom] = [width - 12, 26, height - 40];
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const scale = ([low, high], log, from, to) => (value) => {
    const by = log ? Math.log : (number) => number;
    return from + ((by(Math.min(Math.max(value, low), high)) - by(low)) / (by(high) - by(low))) * (to - from);
  };
  const [X, Y] = [scale(x, xLog, left, right), scale(y, yLog, bottom, top)];
  for (const [value, text] of yTicks) {
    picture.append(draw("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }));
    picture.append(draw("text", { class: "tick", x: left - 6, y: Y(value) + 4, "text-anchor": "end" }, text));
  }
  for (const [value, text] of xTicks) {
    picture.append(draw("line", { class: "axis", x1: X(value), x2: X(value), y1: bottom, y2: bottom + 4 }));
    picture.append(draw("text", { class: "tick", x: X(value), y: bottom + 18, "text-anchor": "middle" }, text));
  }
  picture.append(draw("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
  picture.append(draw("text", { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" }, xLabel));
  picture.append(draw("text", { x: 4, y: 15 }, yLabel));
  const layer = picture.appendChild(draw("g"));
  const line = (points, kind) => {
    const d = points.map(([a, b], i) => `${i ? "L" : "M"}${X(a).toFixed(1)} ${Y(b).toFixed(1)}`).join("");
    return layer.appendChild(draw("path", { d, class: kind }));
  };
  const dot = (a, b, kind, r = 4) => layer.appendChild(draw("circle", { cx: X(a), cy: Y(b), r, class: kind, fill: "var(--ground)", "stroke-width": 2 }));
  return { picture, layer, X, Y, line, dot, clear: () => layer.replaceChildren() };
}

// what the lines of a picture stand for: [[class of the line, its name], ...]
function legend(ui, entries) {
  const node = ui.scene.appendChild(make("p", { class: "legend" }));
  for (const [kind, name] of entries) {
    const sample = draw("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" });
    sample.append(draw("path", { d: "M1 5H27", class: kind }));
    node.appendChild(make("span")).append(sample, name);
  }
}
