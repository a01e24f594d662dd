// Normalize a batch: drag one number and see which outputs move. State and meaning: normalize.py.
// Stands on frame, slider, choices, menu, pointing.

const INPUTS = [-10, 10];
const OUTPUTS = [-4, 4];
const LEFT = 24, TOP = 58, LOW = 178; // of the two lines

const OWN_STYLE = `
.bnlib-normalize .thread { stroke: var(--soft); stroke-dasharray: 3 3; }
.bnlib-normalize .out rect { fill: var(--ground); stroke: var(--blue); stroke-width: 2; }
.bnlib-normalize .before { fill: none; stroke: var(--soft); stroke-width: 1.5; }
.bnlib-normalize .mean { stroke: var(--warm); stroke-width: 2; }
`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "normalize", paint, arrange);
    const { say } = ui;
    const place = (value, [low, high]) => LEFT + ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (right - LEFT);
    let held = null, before = outputs(ui.start), right, scene;

    const picture = draw("svg", { role: "group", "aria-label": say.question });
    ui.scene.append(make("style", {}, KNOBS + OWN_STYLE), picture);
    arrange();
    const change = (values) => {
      before = outputs(ui.state());
      ui.set(values);
      ui.tell(ui.report());
    };
    choice(ui, "mode", say.mode, { training: say.training, prediction: say.prediction }, change);
    slider(ui, "gamma", say.gamma, { low: 0, high: 3, change });
    slider(ui, "beta", say.beta, { low: -2, high: 2, change });
    menu(ui, "eps", say.eps, [1e-5, 0.001, 0.1, 1, 10], { change });
    ui.report = () => ui.numbers.textContent;
    ui.onReset = () => { before = outputs(ui.start); };
    ui.repaint();
    return ui.close;

    function arrange() {
      const width = ui.narrow ? 340 : 600; // drawn smaller on a phone, not shrunk
      right = width - LEFT;
      picture.setAttribute("viewBox", `0 0 ${width} 222`);
      picture.replaceChildren();
      for (const [y, span, name] of [[TOP, INPUTS, say.input], [LOW, OUTPUTS, say.output]]) {
        picture.append(draw("line", { class: "axis", x1: LEFT, x2: right, y1: y, y2: y }), draw("text", { x: LEFT, y: y - 32 }, name));
        for (let i = 0; i <= 4; i++) {
          const value = span[0] + (i * (span[1] - span[0])) / 4;
          picture.append(draw("text", { class: "tick", x: place(value, span), y: y + 30, "text-anchor": "middle" }, fixed(value, 0)));
        }
      }
      scene = picture.appendChild(draw("g"));
    }

    function paint() {
      const s = ui.state(), y = outputs(s), { mean, variance } = statistics(s);
      const focused = [...scene.querySelectorAll(".knob")].indexOf(document.activeElement);
      scene.replaceChildren();
      const at = place(mean, INPUTS);
      scene.append(draw("line", { class: "mean", x1: at, x2: at, y1: TOP - 18, y2: TOP + 18 }));
      scene.append(draw("text", { x: at, y: TOP - 22, "text-anchor": "middle" }, "μ"));
      s.samples.forEach((x, i) => {
        scene.append(draw("line", { class: "thread", x1: place(x, INPUTS), y1: TOP, x2: place(y[i], OUTPUTS), y2: LOW }));
        if (before.length !== y.length) return;
        const was = place(before[i], OUTPUTS);
        scene.append(draw("rect", { class: "before", x: was - 10, y: LOW - 10, width: 20, height: 20, rx: 4 }));
      });
      s.samples.forEach((x, i) => scene.append(square(y[i], i), knob(x, i, y[i])));
      const again = scene.querySelectorAll(".knob")[held ?? focused];
      if (again && document.activeElement !== again) again.focus({ preventScroll: true });
      if (held !== null && again) again.classList.add("held");
      const i = held ?? (focused >= 0 && focused < y.length ? focused : 0);
      const which = s.mode === "training" ? say.batch_statistics : say.moving_statistics;
      const formula =
        `y${sub(i)} = ${fixed(s.gamma, 1)} · (${fixed(s.samples[i])} − ${bracketed(mean)}) / √(${fixed(variance)} + ${s.eps}) + ` +
        `${bracketed(s.beta)} = ${fixed(y[i])}`;
      ui.numbers.textContent = put(say.numbers, { which, mean: fixed(mean), variance: fixed(variance), formula });
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
        "aria-valuetext": `${say.input} ${fixed(value, 1)}, ${say.output} ${fixed(out)}`,
      });
      group.append(draw("circle", { cx: x, cy: TOP, r: 20, style: "fill:transparent;stroke:none" }), draw("circle", { cx: x, cy: TOP, r: 12 }));
      group.append(draw("text", { x, y: TOP + 5, "text-anchor": "middle" }, String(i + 1)));
      group.addEventListener("pointerdown", grab);
      group.addEventListener("keydown", (event) => {
        const to = keyed(event, ui.state().samples[i], ...INPUTS, 0.1);
        if (to === null) return;
        before = outputs(ui.state());
        ui.set({ samples: moved(i, to) });
        report(i);
      });
      return group;
    }

    function grab(event) {
      if (!grabs(event)) return;
      const i = nearest(event, picture, ui.state().samples.map((x) => place(x, INPUTS)));
      held = i;
      before = outputs(ui.state());
      ui.repaint();
      const value = (x) => Math.min(Math.max(INPUTS[0] + ((x - LEFT) / (right - LEFT)) * (INPUTS[1] - INPUTS[0]), INPUTS[0]), INPUTS[1]);
      drag(event, picture, (x) => ui.hold({ samples: moved(i, value(x)) }), () => {
        held = null;
        report(i);
        ui.set({});
      });
    }

    function moved(i, value) {
      return ui.state().samples.map((x, k) => (k === i ? Math.round(value * 100) / 100 : x));
    }

    function report(i) {
      const count = outputs(ui.state()).filter((value, k) => Math.abs(value - before[k]) > 1e-9).length;
      const sentence = count === 0 ? say.moved_none : count === 1 ? say.moved_one : say.moved_all;
      ui.tell(put(sentence, { number: i + 1, count }));
    }
  },
};

function statistics(s) {
  if (s.mode === "prediction") return { mean: s.moving_mean, variance: s.moving_var };
  const mean = s.samples.reduce((sum, x) => sum + x, 0) / s.samples.length;
  return { mean, variance: s.samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / s.samples.length };
}

function outputs(s) {
  const { mean, variance } = statistics(s);
  return s.samples.map((x) => (s.gamma * (x - mean)) / Math.sqrt(variance + s.eps) + s.beta);
}

function bracketed(value) {
  return value < 0 ? `(${fixed(value)})` : fixed(value);
}

function sub(i) {
  return String(i + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}
