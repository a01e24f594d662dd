// Normalize a batch: drag one number and see which outputs move. State and meaning: normalize.py.

const INPUTS = [-10, 10];
const OUTPUTS = [-4, 4];
const LEFT = 24, TOP = 58, LOW = 178; // of the two lines
const SVG = "http://www.w3.org/2000/svg";

const STYLE = `
.bnlib-normalize { --ink: #1b1f24; --soft: #8a929b; --line: #c9d1d9; --ground: #ffffff; --blue: #0072b2; --warm: #b34700;
  color: var(--ink); background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  max-width: 640px; font: 15px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
html[data-theme="dark"] .bnlib-normalize, body[data-jp-theme-light="false"] .bnlib-normalize {
  --ink: #e6edf3; --soft: #98a3ae; --line: #3d444d; --ground: #16191d; --blue: #6cb6e6; --warm: #ffb27a; }
@media (prefers-color-scheme: dark) { html:not([data-theme]) body:not([data-jp-theme-light]) .bnlib-normalize {
  --ink: #e6edf3; --soft: #98a3ae; --line: #3d444d; --ground: #16191d; --blue: #6cb6e6; --warm: #ffb27a; } }
.bnlib-normalize svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
.bnlib-normalize text { fill: var(--ink); font-size: 14px; }
.bnlib-normalize .axis { stroke: var(--soft); } .bnlib-normalize .tick { fill: var(--soft); font-size: 12px; }
.bnlib-normalize .thread { stroke: var(--soft); stroke-dasharray: 3 3; }
.bnlib-normalize .knob { cursor: grab; touch-action: none; outline: none; }
.bnlib-normalize .knob circle { fill: var(--ground); stroke: var(--blue); stroke-width: 2.5; }
.bnlib-normalize .knob:focus-visible circle, .bnlib-normalize .knob.held circle { stroke: var(--warm); stroke-width: 4; }
.bnlib-normalize .out rect { fill: var(--ground); stroke: var(--blue); stroke-width: 2; }
.bnlib-normalize .before { fill: none; stroke: var(--soft); stroke-width: 1.5; }
.bnlib-normalize .mean { stroke: var(--warm); stroke-width: 2; }
.bnlib-normalize .controls { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; margin: 8px 0; }
.bnlib-normalize fieldset { border: 0; margin: 0; padding: 0; display: flex; gap: 14px; flex-wrap: wrap; }
.bnlib-normalize legend { float: left; width: auto; margin: 0; padding: 0 10px 0 0; font-size: inherit; }
.bnlib-normalize label { display: inline-flex; align-items: center; gap: 6px; }
.bnlib-normalize input[type=range] { width: 110px; accent-color: var(--blue); }
.bnlib-normalize button, .bnlib-normalize select { font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--soft); border-radius: 6px; padding: 3px 10px; cursor: pointer; }
.bnlib-normalize select option { color: #1b1f24; }
.bnlib-normalize p { margin: 4px 0; } .bnlib-normalize .question { font-weight: 600; }
.bnlib-normalize .numbers { font-variant-numeric: tabular-nums; }
`;

export default {
  render({ model, el }) {
    const say = model.get("strings");
    if (!(model.get("eps") > 0)) model.set("eps", 1e-5); // a link may hold anything
    if (!(model.get("moving_var") >= 0)) model.set("moving_var", 1);
    const start = snapshot(model);
    const width = el.clientWidth > 0 && el.clientWidth < 480 ? 340 : 600; // drawn smaller on a phone, not shrunk
    const right = width - LEFT;
    const place = (value, [low, high]) => LEFT + ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (right - LEFT);
    const fields = {};
    let held = null, before = outputs(start);

    const root = make("div", { class: "bnlib-normalize", lang: model.get("lang") === "zh" ? "zh-CN" : "en" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    const question = make("p", { class: "question" }, say.question);
    const svg = draw("svg", { viewBox: `0 0 ${width} 222`, role: "group", "aria-label": say.question });
    const numbers = make("p", { class: "numbers" });
    const readout = make("p", { class: "readout", role: "status", "aria-live": "polite" }, say.start);
    root.append(style, question, svg, controls(), numbers, readout);
    el.append(root);

    const scene = axes();
    paint();
    const names = ["samples", "gamma", "beta", "eps", "mode", "moving_mean", "moving_var"];
    for (const name of names) model.on(`change:${name}`, paint);
    return () => { for (const name of names) model.off(`change:${name}`, paint); root.remove(); };

    function axes() {
      for (const [y, span, name] of [[TOP, INPUTS, say.input], [LOW, OUTPUTS, say.output]]) {
        svg.append(draw("line", { class: "axis", x1: LEFT, x2: right, y1: y, y2: y }), draw("text", { x: LEFT, y: y - 32 }, name));
        for (let i = 0; i <= 4; i++) {
          const value = span[0] + (i * (span[1] - span[0])) / 4;
          svg.append(draw("text", { class: "tick", x: place(value, span), y: y + 30, "text-anchor": "middle" }, String(value)));
        }
      }
      const layer = draw("g", {});
      svg.append(layer);
      return layer;
    }

    function paint() {
      const s = snapshot(model), y = outputs(s), { mean, variance } = statistics(s);
      const focused = [...scene.querySelectorAll(".knob")].indexOf(document.activeElement);
      scene.replaceChildren();
      const at = place(mean, INPUTS);
      scene.append(draw("line", { class: "mean", x1: at, x2: at, y1: TOP - 18, y2: TOP + 18 }));
      scene.append(draw("text", { x: at, y: TOP - 22, "text-anchor": "middle" }, "μ"));
      s.samples.forEach((x, i) => {
        const top = place(x, INPUTS), low = place(y[i], OUTPUTS);
        scene.append(draw("line", { class: "thread", x1: top, y1: TOP, x2: low, y2: LOW }));
        if (before.length === y.length) {
          const was = place(before[i], OUTPUTS);
          scene.append(draw("rect", { class: "before", x: was - 10, y: LOW - 10, width: 20, height: 20, rx: 4 }));
        }
      });
      s.samples.forEach((x, i) => scene.append(square(y[i], i), knob(x, i, y[i])));
      const again = scene.querySelectorAll(".knob")[held ?? focused];
      if (again && document.activeElement !== again && (held !== null || focused >= 0)) again.focus({ preventScroll: true });
      if (held !== null && again) again.classList.add("held");
      const which = s.mode === "training" ? say.batch_statistics : say.moving_statistics;
      const i = held ?? (focused >= 0 ? focused : 0);
      numbers.textContent =
        `${which}: μ = ${mean.toFixed(2)}, σ² = ${variance.toFixed(2)}.  ` +
        `y${sub(i)} = ${s.gamma.toFixed(1)} · (${s.samples[i].toFixed(2)} − ${round(mean)}) / √(${variance.toFixed(2)} + ${s.eps}) + ` +
        `${round(s.beta)} = ${y[i].toFixed(2)}`;
      for (const [name, input] of Object.entries(fields)) {
        if (name === "mode") for (const radio of input) radio.checked = radio.value === s.mode;
        else {
          input.value = name === "eps" ? String(s.eps) : s[name];
          if (input.nextSibling) input.nextSibling.textContent = s[name].toFixed(1);
        }
      }
    }

    function square(value, i) {
      const x = place(value, OUTPUTS);
      const group = draw("g", { class: "out", "data-output": value.toFixed(6) });
      group.append(draw("rect", { x: x - 11, y: LOW - 11, width: 22, height: 22, rx: 4 }));
      group.append(draw("text", { x, y: LOW + 5, "text-anchor": "middle" }, String(i + 1)));
      return group;
    }

    function knob(value, i, out) {
      const x = place(value, INPUTS);
      const group = draw("g", {
        class: "knob", tabindex: 0, role: "slider", "aria-label": `${say.sample} ${i + 1}`, "aria-valuemin": INPUTS[0],
        "aria-valuemax": INPUTS[1], "aria-valuenow": value.toFixed(1),
        "aria-valuetext": `${say.input} ${value.toFixed(1)}, ${say.output} ${out.toFixed(2)}`,
      });
      group.append(draw("circle", { cx: x, cy: TOP, r: 20, style: "fill:transparent;stroke:none" }), draw("circle", { cx: x, cy: TOP, r: 12 }));
      group.append(draw("text", { x, y: TOP + 5, "text-anchor": "middle" }, String(i + 1)));
      group.addEventListener("pointerdown", (event) => grab(event, i));
      group.addEventListener("keydown", (event) => step(event, i));
      return group;
    }

    function grab(event, i) {
      event.preventDefault();
      held = i;
      before = outputs(snapshot(model));
      paint();
      const drag = (moved) => moveTo(i, INPUTS[0] + ((fraction(moved) * width - LEFT) / (right - LEFT)) * (INPUTS[1] - INPUTS[0]));
      const drop = () => {
        window.removeEventListener("pointermove", drag);
        for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, drop);
        held = null;
        report(i);
        model.save_changes();
        paint();
      };
      window.addEventListener("pointermove", drag);
      for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, drop);
    }

    function fraction(event) {
      const box = svg.getBoundingClientRect();
      return (event.clientX - box.left) / box.width;
    }

    function step(event, i) {
      const far = event.shiftKey ? 1 : 0.1;
      const by = { ArrowRight: far, ArrowUp: far, ArrowLeft: -far, ArrowDown: -far, PageUp: 1, PageDown: -1 }[event.key];
      const to = { Home: INPUTS[0], End: INPUTS[1] }[event.key];
      if (by === undefined && to === undefined) return;
      event.preventDefault();
      before = outputs(snapshot(model));
      moveTo(i, to ?? model.get("samples")[i] + by);
      report(i);
      model.save_changes();
    }

    function moveTo(i, value) {
      const samples = [...model.get("samples")];
      samples[i] = Math.round(Math.min(Math.max(value, INPUTS[0]), INPUTS[1]) * 100) / 100;
      model.set("samples", samples);
    }

    function report(i) {
      const now = outputs(snapshot(model));
      const moved = now.map((value, k) => Math.abs(value - before[k]) > 1e-9);
      const count = moved.filter(Boolean).length;
      const text = count === 0 ? say.moved_none : count === 1 ? say.moved_one : say.moved_all;
      readout.textContent = text.replace("#", String(i + 1)).replace("%", String(count));
    }

    function controls() {
      const box = make("div", { class: "controls" });
      const modes = make("fieldset", {});
      modes.append(make("legend", {}, say.mode));
      const group = `mode-${Math.random().toString(36).slice(2)}`;
      fields.mode = ["training", "prediction"].map((mode) => {
        const radio = make("input", { type: "radio", name: group, value: mode });
        radio.addEventListener("change", () => change("mode", mode));
        const label = make("label", {});
        label.append(radio, say[mode]);
        modes.append(label);
        return radio;
      });
      box.append(modes);
      for (const [name, low, high] of [["gamma", 0, 3], ["beta", -2, 2]]) {
        const range = make("input", { type: "range", min: low, max: high, step: 0.1 });
        range.addEventListener("input", () => change(name, Number(range.value)));
        const label = make("label", {});
        label.append(say[name], range, make("span", {}));
        fields[name] = range;
        box.append(label);
      }
      const eps = make("select", {});
      for (const value of [1e-5, 0.001, 0.1, 1, 10]) eps.append(make("option", { value }, String(value)));
      eps.addEventListener("change", () => change("eps", Number(eps.value)));
      fields.eps = eps;
      const label = make("label", {});
      label.append(say.eps, eps);
      const reset = make("button", { type: "button", class: "reset" }, say.reset);
      reset.addEventListener("click", () => {
        for (const [name, value] of Object.entries(start)) model.set(name, value);
        before = outputs(start);
        readout.textContent = say.start;
        model.save_changes();
        paint();
      });
      box.append(label, reset);
      return box;
    }

    function change(name, value) {
      before = outputs(snapshot(model));
      model.set(name, value);
      model.save_changes();
      paint();
    }
  },
};

function snapshot(model) {
  const s = {};
  for (const name of ["samples", "gamma", "beta", "eps", "mode", "moving_mean", "moving_var"]) s[name] = model.get(name);
  return s;
}

function statistics(s) {
  if (s.mode === "prediction") return { mean: s.moving_mean, variance: s.moving_var };
  const mean = s.samples.reduce((sum, x) => sum + x, 0) / s.samples.length;
  return { mean, variance: s.samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / s.samples.length };
}

function outputs(s) {
  const { mean, variance } = statistics(s);
  return s.samples.map((x) => (s.gamma * (x - mean)) / Math.sqrt(variance + s.eps) + s.beta);
}

function round(value) {
  return value < 0 ? `(−${Math.abs(value).toFixed(2)})` : value.toFixed(2);
}

function sub(i) {
  return String(i + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

function make(tag, attributes, text) {
  return fill(document.createElement(tag), attributes, text);
}

function draw(tag, attributes, text) {
  return fill(document.createElementNS(SVG, tag), attributes, text);
}

function fill(node, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
