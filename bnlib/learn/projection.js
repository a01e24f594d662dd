// Backward as projection: three samples, the gradient and what the layer removes of it. State and meaning: projection.py.
// Stands on frame, slider, toggle, pointing, charts.

const STEPS = 50;
const LINES = { samples: [-5, 5, 0.1], gradient: [-3, 3, 0.1] };
const LEFT = 26;
const [CENTRE, SPAN] = [[165, 142], 126];

const OWN_STYLE = `${scoped(".bnlib-projection", `.pair { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: flex-start; }
.pair > * { flex: 1 1 230px; }
.pair svg { max-width: 310px; margin: 0 auto; }
.all { stroke: var(--ink); } .left { stroke: var(--blue); stroke-width: 3.5; }
.soft { fill: none; stroke: var(--soft); } .now { stroke: var(--ink); stroke-dasharray: 2 3; }
.point { fill: var(--ground); stroke: var(--blue); stroke-width: 2.5; }
.halo { paint-order: stroke; stroke: var(--ground); stroke-width: 4px; }
.legend { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; margin: 6px 0; }
:is(th, td) { text-align: right; padding: 1px 4px; border: 0; background: none; font-weight: 400; color: inherit; }
thead { border-bottom: 1px solid var(--line); }
`)} @media (max-width: 479px) { .bnlib-projection :is(table, th, td) { font-size: 12px; padding: 1px; } }`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "projection", paint, arrange);
    const { say } = ui;
    let held = null, right, scene;

    const knobs = draw("svg", { role: "group", "aria-label": say.question });
    const plane = draw("svg", { viewBox: "0 0 300 280", role: "img", "aria-label": say.plane_label });
    const drift = make("div"), pair = make("div", { class: "pair" }), table = make("table");
    const view = make("div");
    view.append(plane, make("p", { class: "legend" }, say.plane_legend));
    pair.append(view, drift);
    ui.scene.append(make("style", {}, KNOBS + OWN_STYLE), knobs, pair, table);
    arrange();
    const change = (values) => {
      ui.set(values);
      ui.tell(told());
    };
    toggle(ui, "detached", say.detached, change);
    slider(ui, "step", say.step, { step: 1, show: String, change });
    ui.add(button(say.undone, () => change({ gradient: undone(ui.state()), step: 0 })));
    const [wide, three] = ["−10.00", "−10.00, −10.00, −10.00"];
    const drifted = put(say.drift, { steps: STEPS, mean0: wide, mean: wide, var0: wide, var: wide });
    const longest = { whole: wide, one: wide, x: wide, dx: three, drift: drifted };
    ui.report = told;
    ui.keepRoom(ui.readout, [say.start, put(say.removed_told, longest), put(say.detached_told, longest)]);
    ui.keepRoom(ui.numbers, [put(say.numbers, { step: STEPS, mean: wide, var: wide, y: three, factor: wide, sum: wide })]);
    ui.repaint();
    return ui.close;

    function arrange() {
      const width = ui.narrow ? 340 : 600;
      right = width - LEFT;
      knobs.setAttribute("viewBox", `0 0 ${width} 150`);
      knobs.replaceChildren();
      for (const [trait, y] of [["samples", 46], ["gradient", 118]]) {
        const [low, high] = LINES[trait];
        knobs.append(draw("line", { class: "axis", x1: LEFT, x2: right, y1: y, y2: y }), draw("text", { x: 4, y: y - 24 }, say[trait]));
        for (const part of [0, 0.5, 1]) {
          const value = low + part * (high - low);
          knobs.append(draw("text", { class: "tick", x: place(trait, value), y: y + 27, "text-anchor": "middle" }, fixed(value, 0)));
        }
      }
      scene = knobs.appendChild(draw("g"));
    }

    function place(trait, value) {
      const [low, high] = LINES[trait];
      return LEFT + ((value - low) / (high - low)) * (right - LEFT);
    }

    function paint() {
      const s = ui.state(), path = walk(s, s.detached), { x, ...now } = path[s.step];
      paintKnobs(s);
      paintPlane(s, now);
      paintDrift(s);
      const rows = x.map((value, i) => [value, now.normalized[i], s.gradient[i], now.along_one[i], now.along_x[i], now.grad_input[i]]);
      const [head, body] = [make("thead"), make("tbody")], first = make("tr");
      first.appendChild(make("th", { scope: "col" })).append(make("span", { class: "spoken" }, say.sample));
      first.append(...["x", "x̂", "g", say.along_one, say.along_x, "dx"].map((name) => make("th", { scope: "col" }, name)));
      head.append(first);
      rows.forEach((row, i) => {
        const line = make("tr", { "data-dx": now.grad_input[i].toPrecision(12) });
        line.append(make("th", { scope: "row" }, String(i + 1)), ...row.map((value) => make("td", {}, fixed(value))));
        body.append(line);
      });
      table.replaceChildren(head, body);
      ui.numbers.textContent = put(say.numbers, {
        step: s.step, mean: fixed(now.mean), var: fixed(now.var), y: now.normalized.map((value) => fixed(s.gamma * value)).join(", "),
        factor: fixed(now.factor), sum: fixed(total(now.grad_input)),
      });
    }

    function paintKnobs(s) {
      const all = [...scene.querySelectorAll(".knob")], focused = all.indexOf(document.activeElement);
      scene.replaceChildren();
      for (const [trait, y, letter] of [["samples", 46, "x"], ["gradient", 118, "g"]]) s[trait].forEach((value, i) => scene.append(knob(trait, y, letter, value, i)));
      const again = scene.querySelectorAll(".knob")[held ?? focused];
      if (again && document.activeElement !== again) again.focus({ preventScroll: true });
      if (held !== null && again) again.classList.add("held");
    }

    function knob(trait, y, letter, value, i) {
      const [low, high, step] = LINES[trait], x = place(trait, value);
      const group = draw("g", {
        class: "knob", tabindex: 0, role: "slider", "aria-label": `${letter} ${i + 1}`, "aria-valuemin": low, "aria-valuemax": high,
        "aria-valuenow": value.toFixed(1), "aria-valuetext": fixed(value, 1),
      });
      group.append(draw("circle", { cx: x, cy: y, r: 20, style: "fill:transparent;stroke:none" }), draw("circle", { cx: x, cy: y, r: 12 }));
      group.append(draw("text", { x, y: y + 5, "text-anchor": "middle" }, String(i + 1)));
      const moved = (to, which = i) => ({ [trait]: ui.state()[trait].map((old, k) => (k === which ? Math.round(Math.min(Math.max(to, low), high) * 100) / 100 : old)) });
      group.addEventListener("pointerdown", (event) => {
        if (!grabs(event)) return;
        const taken = nearest(event, knobs, ui.state()[trait].map((x) => place(trait, x)));
        held = taken + (trait === "gradient" ? 3 : 0);
        ui.repaint();
        drag(event, knobs, (at) => ui.hold(moved(low + ((at - LEFT) / (right - LEFT)) * (high - low), taken)), () => {
          held = null;
          ui.set({});
          ui.tell(told());
        });
      });
      group.addEventListener("keydown", (event) => {
        const to = keyed(event, ui.state()[trait][i], low, high, step);
        if (to !== null) change(moved(to));
      });
      return group;
    }

    // the plane at right angles to 1, and beside it what points along 1
    function paintPlane(s, now) {
      const shadow = flat(s.gradient), half = Math.max(3.2, 1.05 * (Math.sqrt(3) + Math.hypot(...shadow)));
      const at = ([a, b]) => [CENTRE[0] + (SPAN * a) / half, CENTRE[1] - (SPAN * b) / half];
      const [start, tip] = [flat(now.normalized), flat(now.normalized.map((value, i) => value + s.gradient[i]))];
      const [corner, end] = [flat(now.normalized.map((value, i) => value + now.along_x[i])), flat(now.normalized.map((value, i) => value + s.gradient[i] - now.along_x[i]))];
      plane.replaceChildren();
      for (let i = 0; i < 3; i++) {
        const [x, y] = at(flat([0, 1, 2].map((k) => (k === i ? 1.18 * half : 0))));
        plane.append(draw("line", { class: "grid", x1: CENTRE[0], y1: CENTRE[1], x2: x, y2: y }), draw("text", { class: "tick", x, y: y + (i ? 12 : -2), "text-anchor": "middle" }, String(i + 1)));
      }
      plane.append(draw("circle", { class: "soft", cx: CENTRE[0], cy: CENTRE[1], r: (SPAN * Math.sqrt(3)) / half }));
      const [ox, oy] = at([0, 0]), [px, py] = at(start);
      plane.append(draw("line", { class: "soft", x1: ox, y1: oy, x2: px, y2: py }));
      arrow(at(start), at(tip), "all");
      if (!s.detached) arrow(at(start), at(corner), "warm dashed");
      arrow(at(start), at(end), "left");
      plane.append(draw("circle", { class: "point", cx: px, cy: py, r: 6 }), draw("text", { x: px + (px - ox) / 4 - 4, y: py + (py - oy) / 4 + 5, class: "halo" }, "x̂"));
      const along = (total(s.gradient) / Math.sqrt(3) / half) * SPAN;
      plane.append(draw("line", { class: "axis", x1: 8, x2: 30, y1: CENTRE[1], y2: CENTRE[1] }), draw("text", { x: 4, y: 14 }, say.along_one));
      arrow([19, CENTRE[1]], [19, CENTRE[1] - along], s.detached ? "left" : "warm dashed");
    }

    function arrow([x1, y1], [x2, y2], look) {
      const length = Math.hypot(x2 - x1, y2 - y1);
      if (length < 1) return;
      const [a, b] = [((x2 - x1) / length) * Math.min(9, length), ((y2 - y1) / length) * Math.min(9, length)];
      plane.append(draw("line", { class: look, x1, y1, x2, y2, "stroke-width": 2 }));
      const head = `M${x2 - a - b / 2} ${y2 - b + a / 2}L${x2} ${y2}L${x2 - a + b / 2} ${y2 - b - a / 2}`;
      plane.append(draw("path", { class: look.replace(" dashed", ""), d: head }));
    }

    function paintDrift(s) {
      const [full, loose] = [walk(s, false), walk(s, true)];
      drift.replaceChildren();
      for (const key of ["mean", "var"]) {
        const values = [...full, ...loose].map((point) => point[key]);
        const [low, high] = [Math.min(...values), Math.max(...values)], room = Math.max(0.1 * (high - low), 0.1);
        const made = chart({
          width: 300, height: 158, x: [0, STEPS], y: [low - room, high + room], left: 52, label: say[`drift_${key}`],
          xTicks: [0, 25, 50].map((n) => [n, String(n)]), yTicks: (high - low > 0.2 ? [low, high] : [low]).map((y) => [y, fixed(y, 1)]),
          xLabel: say.step, yLabel: say[`drift_${key}`],
        });
        made.layer.append(draw("line", { class: "now", x1: made.X(s.step), x2: made.X(s.step), y1: 26, y2: 118 }));
        for (const [path, look, on] of [[full, "blue", !s.detached], [loose, "warm dashed", s.detached]]) {
          made.line(path.map((point, n) => [n, point[key]]), look);
          if (on) made.dot(s.step, path[s.step][key], look.split(" ")[0], 5);
        }
        drift.append(made.picture);
      }
      drift.append(make("p", { class: "legend" }, say.drift_legend));
    }

    function told() {
      const s = ui.state(), path = walk(s, s.detached), now = path[s.step], last = path[STEPS];
      const lengths = { whole: fixed(length(s.gradient)), one: fixed(length(now.along_one)), x: fixed(length(now.along_x)) };
      const ends = { steps: STEPS, mean0: fixed(path[0].mean), mean: fixed(last.mean), var0: fixed(path[0].var), var: fixed(last.var) };
      const dx = now.grad_input.map((value) => fixed(value)).join(", ");
      return put(s.detached ? say.detached_told : say.removed_told, { ...lengths, dx, drift: put(say.drift, ends) });
    }
  },
};

const total = (vector) => vector.reduce((sum, value) => sum + value, 0);
const dot = (a, b) => total(a.map((value, i) => value * b[i]));
const length = (vector) => Math.hypot(...vector);
const flat = ([a, b, c]) => [(c - b) / Math.sqrt(2), (2 * a - b - c) / Math.sqrt(6)]; // seen from the tip of 1, first axis upwards

// the backward pass at x, step by step; detached, it takes mean and variance for constants
function backward(x, { gradient: g, gamma, eps }, detached) {
  const mean = total(x) / x.length, centred = x.map((value) => value - mean);
  const variance = dot(centred, centred) / x.length, rstd = 1 / Math.sqrt(variance + eps);
  const normalized = centred.map((value) => value * rstd);
  const [mean_g, mean_gx] = detached ? [0, 0] : [total(g) / x.length, dot(g, normalized) / x.length];
  const [along_one, along_x] = [x.map(() => mean_g), normalized.map((value) => value * mean_gx)], factor = gamma * rstd;
  const grad_input = g.map((value, i) => factor * (value - along_one[i] - along_x[i]));
  return { mean, var: variance, normalized, along_one, along_x, factor, grad_input };
}

// x and its backward pass after 0, 1, ..., 50 gradient steps on x with the same g
function walk(s, detached) {
  let x = s.samples;
  return Array.from({ length: STEPS + 1 }, () => {
    const here = x, found = backward(x, s, detached);
    x = x.map((value, i) => value - s.rate * found.grad_input[i]);
    return { x: here, ...found };
  });
}

// a gradient of which the layer lets nothing through
function undone(s) {
  const { normalized } = backward(s.samples, s, false);
  return normalized.map((value) => 0.8 - 0.6 * value);
}
