// Batch normalization playground. State and meaning: playground.py.
// Stands on frame, slider, menu, charts.

const EPS = 1e-5, SHARE = 0.1; // of the new value in the moving averages, as in PyTorch
const POINTS = 256;
const SIDE = 40; // of the map, in points
const Floats = Float64Array;
const sigmoid = (z) => 1 / (1 + Math.exp(-z));
// function, derivative by its value, ends of the histogram
const ACTIVATIONS = {
  sigmoid: [sigmoid, (a) => a * (1 - a), 0, 1],
  tanh: [Math.tanh, (a) => 1 - a * a, -1, 1],
  relu: [(z) => Math.max(z, 0), (a) => +(a > 0), 0, 3],
};
const LOOKS = scoped(".bnlib-playground", `.arms { display: grid; grid-template-columns: 1fr 1fr; gap: 18px; } .none { --own: var(--warm); } .batch { --own: var(--blue); }
.name { border-bottom: 3px dashed var(--own); font-weight: 600; } .batch .name { border-bottom-style: solid; }
.map { position: relative; max-width: 210px; margin: 6px 0; outline: 1px solid var(--line); }
canvas { display: block; width: 100%; aspect-ratio: 1; } svg { overflow: visible; } .map svg { position: absolute; inset: 0; }
.map path { stroke: var(--ink); stroke-width: .11; stroke-linecap: square; }
.map .one { stroke: var(--third); stroke-width: .15; stroke-linecap: round; }
.bars { fill: var(--own); } p { white-space: pre-line; }
`);

export default { render };

function render({ model, el }) {
  const ui = frame({ model, el }, "playground", paint, arrange), { say } = ui;
  // between frames (ms), steps in one at most, and how long they may take (ms)
  const [pause, most, budget] = matchMedia("(prefers-reduced-motion: reduce)").matches ? [500, 60, 250] : [25, 4, 12];
  const grid = new Floats(2 * SIDE ** 2).map((_, i) => 4.8 * (((i % 2 ? Math.floor(i / 2 / SIDE) : (i / 2) % SIDE) + 0.5) / SIDE - 0.5));
  const columns = make("div", { class: "arms" }), curves = make("div"), bar = make("div", { class: "controls" });
  const arms = ["none", "batch"].map((name) => {
    const column = columns.appendChild(make("div", { class: name })), map = make("div", { class: "map" });
    const canvas = make("canvas", { width: SIDE, height: SIDE, role: "img" });
    const dots = draw("svg", { viewBox: "-2.4 -2.4 4.8 4.8" });
    const score = make("p", { class: "numbers" }), rows = draw("svg", { role: "img" });
    map.append(canvas, dots);
    column.append(make("p", { class: "name" }, say[name]), map, score, rows);
    return { name, dots, score, rows, canvas, pen: canvas.getContext("2d") };
  });
  let known, next, step, plot, built, last = 0, frames = 0, mapCost = 0, request = 0, drawn = false;

  const run = button("", () => {
    if (step === ui.state().steps) build();
    ask(!model.get("running"));
  });
  bar.append(run, button(say.step, () => {
    ask(false);
    advance(1);
    report();
  }));
  ui.scene.append(make("style", {}, LOOKS), bar, columns, curves);
  for (const trait of ["points", "activation", "initialization"]) menu(ui, trait, say[trait], ui.limits[trait], { show: (value) => say[value] ?? value });
  const sliders = { depth: null, width: null, batch_size: ui.limits.batch_size, lr: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    steps: [100, 200, 500, 1000, 2000, 5000], seed: null };
  for (const [trait, values] of Object.entries(sliders)) slider(ui, trait, say[trait], { values, step: 1, show: String });
  const watch = new IntersectionObserver((seen) => seen.at(-1).isIntersecting || ask(false));
  watch.observe(ui.root);
  ui.onReset = () => { built = null; };
  ui.repaint();
  model.on("change:running", follow);
  follow();
  return () => {
    watch.disconnect();
    model.off("change:running", follow);
    cancelAnimationFrame(request);
    ui.close();
  };

  function arrange() {
    const { steps } = ui.state(), ticks = (...values) => values.map((value) => [value, value]);
    plot = chart({ width: ui.narrow ? 340 : 600, height: 180, x: [0, steps], y: [0, 1], xTicks: ticks(0, steps / 2, steps),
      yTicks: [...ticks(0, 0.5), [1, "≥ 1"]], xLabel: say.steps, yLabel: say.loss, label: say.loss });
    curves.replaceChildren(plot.picture);
  }

  function paint() {
    if (built === JSON.stringify(ui.state())) show();
    else build();
  }

  // after each change of a setting: both networks at their start; a second view leaves alone what Python knows
  function build() {
    if (drawn) ask(false);
    const s = ui.state();
    built = JSON.stringify(s);
    known = points(s);
    next = batches(known, s);
    step = 0;
    arrange();
    for (const arm of arms) {
      Object.assign(arm, { net: network(s, arm.name === "batch"), losses: [], lost: false });
      const d = ["", ""];
      known.y.forEach((label, i) => { d[label] += `M${known.x[2 * i].toFixed(2)} ${known.x[2 * i + 1].toFixed(2)}h0`; });
      arm.dots.replaceChildren(draw("path", { d: d[0] }), draw("path", { d: d[1], class: "one" }));
    }
    if (drawn) report();
    else show();
    drawn = true;
  }

  function ask(running) {
    model.set("running", running);
    model.save_changes();
  }

  function follow() {
    const running = model.get("running");
    run.textContent = running ? say.pause : say.run;
    cancelAnimationFrame(request);
    if (running) request = requestAnimationFrame(tick);
    else if (step) report();
  }

  function tick(now) {
    if (!model.get("running")) return;
    if (now - last >= pause) {
      last = now;
      const every = Math.max(1, Math.ceil(mapCost / 8)), map = ++frames % every ? null : (frames / every) % 2;
      advance(most, map === null ? budget : Math.max(budget - mapCost, 1));
      show(map);
    }
    if (step === ui.state().steps) ask(false);
    else request = requestAnimationFrame(tick);
  }

  function advance(count, time = budget) {
    const { lr, steps } = ui.state(), until = performance.now() + time;
    for (; count > 0 && step < steps && performance.now() < until; count--, step++) {
      const batch = next();
      for (const arm of arms) {
        const loss = arm.lost ? NaN : train(arm.net, batch, lr);
        if (loss < 1e6) arm.losses.push(loss);
        else arm.lost = true;
      }
    }
  }

  // while it runs, of the maps and accuracies one alone or none (null), as often as there is time for them
  function show(only) {
    plot.clear();
    arms.forEach((arm, a) => {
      const { net, losses, pen } = arm, curve = [], size = Math.ceil(losses.length / 100);
      for (let i = 0; i < losses.length; i += size) { // means of groups
        const group = losses.slice(i, i + size);
        curve.push([i + group.length, group.reduce((sum, loss) => sum + loss) / group.length]);
      }
      plot.line(curve, a ? "blue" : "warm dashed");
      const skipped = only === null || only === 1 - a, began = performance.now();
      if (!skipped) arm.accuracy = forward(net, known.x).filter((logit, i) => logit > 0 === known.y[i] > 0).length / POINTS;
      arm.score.textContent = arm.lost ? say.diverged : `${say.loss} ${step ? fixed(curve.at(-1)[1], 3) : "–"} · ${say.accuracy} ${fixed(arm.accuracy, 3)}`;
      layers(arm);
      if (skipped) return;
      const image = pen.createImageData(SIDE, SIDE);
      forward(net, grid).forEach((logit, i) => image.data.set([0, 150, 110, 120 * sigmoid(logit) + 40 * (logit > 0)], 4 * i));
      pen.putImageData(image, 0, 0);
      mapCost = performance.now() - began;
    });
    ui.numbers.textContent = lines(say.norms, ({ net }) => net.layers.map(({ norm }) => norm?.toExponential(0) ?? "–").join(", "));
    if (only === undefined) describe();
  }

  function describe() {
    for (const { name, net, canvas, rows, score } of arms) {
      canvas.setAttribute("aria-label", `${say[name]} · ${score.textContent}`);
      const spreads = net.layers.map(({ out }) => (out ? moments(out).map((value) => fixed(value)).join(" ± ") : "–"));
      rows.setAttribute("aria-label", `${say[name]} · ${say.activations}: ${spreads.join(", ")}`);
    }
  }

  // from the last layer down: its outputs, and its gradient's norm from 1e-8 to 10
  function layers({ rows, net }) {
    const count = net.layers.length, width = ui.narrow ? 150 : 290, middle = width / 2 + 8;
    const [, , low, high] = ACTIVATIONS[net.activation], wide = (middle - 32) / 16;
    const text = (x, y, words) => draw("text", { class: "tick", x, y }, words);
    rows.setAttribute("viewBox", `0 0 ${width} ${(count + 1) * 20}`);
    rows.replaceChildren(text(16, 12, say.activations), text(middle, 12, say.gradient));
    net.layers.forEach(({ out, norm }, l) => {
      const base = (count - l + 1) * 20 - 3, bins = Array(16).fill(0);
      rows.append(text(0, base, l + 1));
      if (!out) return;
      for (const value of out) bins[Math.min(Math.floor((16 * (value - low)) / (high - low)), 15)]++;
      const length = Math.min(Math.max((Math.log10(norm) + 8) / 9, 0), 1) * (width - middle);
      const heights = bins.map((n) => `V${base - Math.round((15 * n) / Math.max(1, ...bins))}h${wide}`).join("");
      rows.append(draw("path", { class: "bars", d: `M${middle} ${base}v-12h${length || 0}v12z${l < count - 1 ? `M16 ${base}${heights}V${base}` : ""}` }));
    });
  }

  function lines(first, told) {
    return [first, ...arms.map((arm) => `${say[arm.name]} · ${told(arm)}`)].join("\n");
  }

  function report() {
    show();
    const told = (value) => Object.fromEntries(arms.map((arm) => [arm.name, value(arm)]));
    model.set("step", step);
    model.set("losses", told(({ losses }) => [...losses]));
    model.set("accuracies", told((arm) => arm.accuracy));
    model.save_changes();
    ui.tell(step ? lines(put(say.at_step, { step }), ({ score }) => score.textContent) : say.start);
  }
}

const moments = (values) => {
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)];
};

// --- the arithmetic, from random numbers (mulberry32, Box-Muller) to steps

function random(seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

// two classes in turn, within about -2 and 2
function points({ points: kind, seed }) {
  const { uniform, normal } = random(seed), x = [];
  const polar = (r, angle) => [r * Math.cos(angle), r * Math.sin(angle)];
  const place = {
    circle: (label) => polar(label ? 0.8 * Math.sqrt(uniform()) : 1.3 + 0.6 * uniform(), 2 * Math.PI * uniform()),
    xor: (label, sign = uniform() < 0.5 ? -1 : 1) => [1, 2 * label - 1].map((side) => side * sign * (0.15 + 1.7 * uniform())),
    spirals: (label, t = uniform()) => polar(0.2 + 1.7 * t, Math.PI * (3.5 * t + label)),
    gaussians: (label) => [0, 1].map(() => 1.6 * label - 0.8 + 0.5 * normal()),
  }[kind];
  const y = new Floats(POINTS).map((_, i) => i % 2);
  for (const label of y) x.push(...place(label).map((value) => value + 0.1 * normal()));
  return { x: Floats.from(x), y };
}

// a function that gives the batches, in a new order each epoch
function batches({ x, y }, { batch_size: size, seed }) {
  const { uniform } = random(seed + 2), order = [...y.keys()];
  let at = POINTS;
  return () => {
    if (at + size > POINTS) {
      at = 0;
      for (let i = POINTS - 1; i > 0; i--) {
        const j = Math.floor(uniform() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
    }
    const taken = order.slice(at, (at += size));
    return { x: Floats.from(taken.flatMap((i) => [x[2 * i], x[2 * i + 1]])), y: Floats.from(taken, (i) => y[i]) };
  };
}

// a layer: n inputs, k outputs, weight w (k, n); with normalization its bias is β, added behind that
function network({ depth, width, activation, initialization, seed }, normalized) {
  const { normal } = random(seed + 1), layers = [];
  for (let l = 0; l <= depth; l++) {
    const n = l ? width : 2, k = l < depth ? width : 1, full = (value) => new Floats(k).fill(value);
    const std = { xavier: Math.sqrt(2 / (n + k)), kaiming: Math.sqrt(2 / n), small: 0.01, large: 1 }[initialization];
    layers.push({ n, k, w: new Floats(n * k).map(() => std * normal()), bias: full(0) });
    if (normalized && l < depth) Object.assign(layers[l], { gamma: full(1), mean: full(0), variance: full(1) });
  }
  return { layers, activation };
}

// logits of points x; in training each layer keeps what `train` needs
function forward({ layers, activation }, x, training = false) {
  const m = x.length / 2, [f] = ACTIVATIONS[activation];
  return layers.reduce((a, layer, l) => {
    const { n, k, w, bias, gamma } = layer, z = new Floats(m * k);
    for (let i = 0; i < m * k; i++) {
      const o = i % k, row = ((i - o) / k) * n;
      let sum = gamma ? 0 : bias[o];
      for (let j = 0; j < n; j++) sum += a[row + j] * w[o * n + j];
      z[i] = sum;
    }
    if (gamma) normalize(layer, z, training);
    if (l < layers.length - 1) for (let i = 0; i < z.length; i++) z[i] = f(z[i]);
    if (training) Object.assign(layer, { input: a, out: z });
    return z;
  }, x);
}

// z (m, k) becomes γ x̂ + β in place, by the biased variance; the moving one takes the unbiased
function normalize(layer, z, training) {
  const { k, bias, gamma, mean, variance } = layer, m = z.length / k;
  const x_hat = new Floats(z.length), rstd = new Floats(k);
  for (let o = 0; o < k; o++) {
    let mu = mean[o], v = variance[o];
    if (training) {
      mu = v = 0;
      for (let i = o; i < z.length; i += k) mu += z[i] / m;
      for (let i = o; i < z.length; i += k) v += (z[i] - mu) ** 2 / m;
      mean[o] += SHARE * (mu - mean[o]);
      variance[o] += SHARE * ((v * m) / (m - 1) - variance[o]);
    }
    rstd[o] = 1 / Math.sqrt(v + EPS);
    for (let i = o; i < z.length; i += k) z[i] = gamma[o] * (x_hat[i] = (z[i] - mu) * rstd[o]) + bias[o];
  }
  if (training) Object.assign(layer, { x_hat, rstd });
}

// one step of gradient descent; gives the loss (cross-entropy), leaves in each layer its weight's gradient's norm
function train(net, { x, y }, lr) {
  const m = y.length, logits = forward(net, x, true), slope = ACTIVATIONS[net.activation][1];
  let loss = 0, d = logits.map((z, i) => { // of the loss by a layer's outputs
    loss += (Math.max(z, 0) - z * y[i] + Math.log1p(Math.exp(-Math.abs(z)))) / m;
    return (sigmoid(z) - y[i]) / m;
  });
  for (const layer of [...net.layers].reverse()) {
    const { n, k, w, bias, gamma, input, out, x_hat, rstd } = layer;
    if (out !== logits) for (let i = 0; i < d.length; i++) d[i] *= slope(out[i]);
    for (let o = 0; o < k; o++) {
      let dbias = 0, dgamma = 0;
      for (let i = o; i < d.length; i += k) {
        dbias += d[i];
        if (gamma) dgamma += d[i] * x_hat[i];
      }
      bias[o] -= lr * dbias;
      if (!gamma) continue;
      for (let i = o; i < d.length; i += k) d[i] = gamma[o] * rstd[o] * (d[i] - (dbias + x_hat[i] * dgamma) / m);
      gamma[o] -= lr * dgamma;
    }
    const dx = new Floats(m * n), dw = new Floats(k * n);
    for (let i = 0; i < m * k; i++) {
      const o = i % k, row = ((i - o) / k) * n;
      for (let j = 0; j < n; j++) {
        dw[o * n + j] += d[i] * input[row + j];
        dx[row + j] += d[i] * w[o * n + j];
      }
    }
    for (let i = 0; i < k * n; i++) w[i] -= lr * dw[i];
    layer.norm = Math.hypot(...dw);
    d = dx;
  }
  return loss;
}
