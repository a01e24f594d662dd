// The frame of a widget, its style and its words. A module names the parts that it stands on in its second line, and they
// are put in front of it, in a kernel's page (widget.py) and in the book alike: so it is one file which asks for nothing.
// Hence no import and no export here.

const SVG = "http://www.w3.org/2000/svg";
const DARK = `--ink: #e6edf3; --soft: #98a3ae; --line: #3d444d; --ground: #16191d; --blue: #6cb6e6; --warm: #ffb27a;
  --third: #5fd0ad; --wash: #1d2b38;`;
// each rule for what is in a part of the page alone
const scoped = (part, rules) => rules.replace(/(^|\} )(?=[a-z.:])/gm, `$1${part} `);
const STYLE = `
.bnlib-frame { --ink: #1b1f24; --soft: #66707a; --line: #c9d1d9; --ground: #ffffff; --blue: #0072b2; --warm: #b34700;
  --third: #00755a; --wash: #e8f1f8; color: var(--ink); background: var(--ground); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px; max-width: 640px;
  font: 15px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
html[data-theme="dark"] .bnlib-frame, body[data-jp-theme-light="false"] .bnlib-frame { ${DARK} }
@media (prefers-color-scheme: dark) { html:not([data-theme]) body:not([data-jp-theme-light]) .bnlib-frame { ${DARK} } }
${scoped(".bnlib-frame", `svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
text { fill: var(--ink); font-size: 14px; } .tick { fill: var(--soft); font-size: 12px; }
.axis { stroke: var(--soft); } .grid { stroke: var(--line); }
path { fill: none; stroke-width: 2.2; stroke-linejoin: round; } .dashed { stroke-dasharray: 6 4; }
.blue { stroke: var(--blue); } .warm { stroke: var(--warm); } .third { stroke: var(--third); }
.controls { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; margin: 8px 0; }
fieldset { border: 0; margin: 0; padding: 0; display: flex; gap: 4px 14px; flex-wrap: wrap; }
legend { float: left; width: auto; margin: 0; padding: 0; font-size: inherit; line-height: 28px; }
label { display: inline-flex; align-items: center; gap: 6px; min-height: 28px; }
input[type=range] { width: 110px; accent-color: var(--blue); } input { accent-color: var(--blue); margin: 0; }
:is(button, select) { font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--soft); border-radius: 6px; padding: 3px 10px; min-height: 28px; cursor: pointer; }
select option { color: #1b1f24; } p { margin: 4px 0; } .question { font-weight: 600; }
.spoken { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
:is(.legend, .legend span) { display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: center; }
.legend span { flex-wrap: nowrap; gap: 8px; } .legend svg { flex: none; width: 28px; }
:is(.numbers, output) { font-variant-numeric: tabular-nums; }
`)}`;

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

function button(text, press) {
  const node = make("button", { type: "button" }, text);
  node.addEventListener("click", press);
  return node;
}

// --- the frame: question, scene, controls with a reset, numbers, and what a screen reader is told

// `paint` draws the scene from ui.state(); it is called after each change, whoever made it: reader, address or kernel.
// `arrange` makes what `paint` draws in, for a narrow place or not (ui.narrow): the widget calls it once, then the frame,
// when a phone is turned.
function frame({ model, el }, name, paint, arrange = () => {}) {
  const [say, limits] = [model.get("strings"), model.get("limits")];
  const traits = Object.keys(limits);
  const state = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const start = structuredClone(model.get("initial") ?? state());
  const root = make("div", { class: `bnlib-frame bnlib-${name}`, lang: model.get("lang") === "zh" ? "zh-CN" : "en" });
  const ui = {
    say, limits, state, start, root, model, narrow: el.clientWidth > 0 && el.clientWidth < 480, updates: [], quiet: false,
    scene: make("div", { class: "scene" }),
    controls: make("div", { class: "controls" }),
    numbers: make("p", { class: "numbers" }),
    readout: make("p", { class: "readout", "aria-hidden": true }, say.start),
    spoken: make("p", { class: "spoken", role: "status" }, say.start), // the same, once for all steps of a gesture
    tell, report: () => "", // what is told when a kernel has changed something
    add: (node) => ui.controls.insertBefore(node, ui.reset),
    hold, set, repaint, close, keepRoom, onReset: () => {},
  };
  ui.reset = button(say.reset, () => { ui.onReset(); ui.tell(say.start); set(structuredClone(start)); });
  ui.reset.classList.add("reset");
  ui.controls.append(ui.reset);
  root.append(make("style", {}, STYLE), make("p", { class: "question" }, say.question), ui.scene, ui.controls, ui.numbers, ui.readout, ui.spoken);
  el.append(root);
  for (const trait of traits) model.on(`change:${trait}`, follow);
  let soon = 0;
  const rooms = new Map();
  let known;
  const watch = new ResizeObserver(() => requestAnimationFrame(fit));
  watch.observe(root);
  return ui;

  function fit() {
    const width = el.clientWidth, narrow = width < 480;
    if (!width || width === known) return; // 0: in a tab that is not open
    known = width;
    if (ui.narrow !== narrow) {
      ui.narrow = narrow;
      arrange();
      repaint();
    }
    measure();
  }

  function tell(text) {
    ui.readout.textContent = text;
    clearTimeout(soon);
    soon = setTimeout(() => { ui.spoken.textContent = text; }, 500);
  }
  function follow() {
    if (ui.quiet) return;
    repaint();
    const told = ui.report();
    if (told) tell(told);
  }
  function repaint() {
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
    watch.disconnect();
    clearTimeout(soon);
    for (const trait of traits) model.off(`change:${trait}`, follow);
    root.remove();
  }
}
