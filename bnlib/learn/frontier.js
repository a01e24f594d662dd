// Learning-rate frontier: choose a rate, see how the recorded runs learned at it. State and meaning: frontier.py.
// Stands on frame, slider, choices, charts, legend.

const LOOKS = { batch: "blue", none: "warm dashed" };
const GUESSING = 0.1, LEARNED = 0.2; // accuracies; above the second one, a network counts as having learned

const OWN_STYLE = `
.bnlib-frontier .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr)); gap: 4px 12px; }
.bnlib-frontier .column { fill: transparent; cursor: pointer; }
.bnlib-frontier .column ~ g { pointer-events: none; }
.bnlib-frontier .column.chosen { fill: var(--wash); } .bnlib-frontier .column:hover { stroke: var(--line); }
.bnlib-frontier path.thin { stroke-width: 1; opacity: 0.6; stroke-dasharray: none; }
.bnlib-frontier .spread { stroke-width: 2; } .bnlib-frontier .mark { fill: var(--ground); stroke-width: 2; }
.bnlib-frontier .mark.now { stroke-width: 4; } .bnlib-frontier .numbers { white-space: pre-line; }
`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "frontier", paint, arrange);
    const { say } = ui;
    const data = model.get("data"), { lrs, epochs } = data;
    const tried = new Set();
    const charts = make("div", { class: "charts" });
    let size, frontier, curves, columns;
    ui.scene.append(make("style", {}, OWN_STYLE), charts);
    legend(ui, ["batch", "none"].map((arm) => [LOOKS[arm], say[arm]]));
    ui.report = () => seen(ui.state());
    const change = (values) => {
      ui.set(values);
      ui.tell(ui.report());
    };
    slider(ui, "lr", say.rate, { values: lrs, show: String, change });
    choice(ui, "arms", say.arms, { both: say.both, batch: say.batch, none: say.none }, change);
    choice(ui, "images", say.images, { train: say.train, test: say.test }, change);
    ui.add(button(say.all, () => {
      lrs.forEach((_, i) => tried.add(i));
      ui.repaint();
      ui.tell(overall(ui.state()));
    }));
    ui.onReset = () => tried.clear();
    arrange();
    ui.repaint();
    const states = ["train", "test"].flatMap((images) => lrs.map((lr) => ({ lr, images, arms: "both" })));
    ui.keepRoom(ui.numbers, states.map(about));
    ui.keepRoom(ui.readout, [say.start, ...states.flatMap((s) => [seen(s), overall(s)])]);
    return ui.close;

    function arrange() {
      size = { width: ui.narrow ? 340 : 300, height: ui.narrow ? 200 : 240, left: 34, y: [0, 1] };
      size.yTicks = [0.1, 0.3, 0.5, 0.7, 0.9].map((value) => [value, String(value)]);
      frontier = chart({
        ...size, x: [lrs[0] / 1.6, lrs[lrs.length - 1] * 1.6], xLog: true, xTicks: lrs.map((lr) => [lr, String(lr)]),
        xLabel: say.rate, yLabel: put(say.after, { epochs }), label: say.frontier,
      });
      curves = chart({
        ...size, x: [1, epochs], xTicks: [...Array(epochs)].map((_, i) => [i + 1, String(i + 1)]),
        xLabel: say.epoch, yLabel: say.accuracy, label: say.curves,
      });
      columns = lrs.map(column);
      charts.replaceChildren(frontier.picture, curves.picture);
    }

    function column(lr, i) { // of the chart: what a finger or the mouse chooses a rate by
      const middle = (k) => (frontier.X(lrs[k]) + frontier.X(lrs[k + 1])) / 2;
      const from = i ? middle(i - 1) : size.left, to = i < lrs.length - 1 ? middle(i) : size.width - 12;
      const node = draw("rect", { class: "column", "data-rate": lr, x: from, width: to - from, y: 26, height: size.height - 66 });
      const choose = () => change({ lr });
      node.addEventListener("click", choose);
      node.addEventListener("pointerenter", (event) => { if (event.buttons === 1) choose(); });
      frontier.picture.insertBefore(node, frontier.layer);
      return node;
    }

    function paint() {
      const s = ui.state(), chosen = lrs.indexOf(s.lr);
      tried.add(chosen);
      columns.forEach((node, i) => node.classList.toggle("chosen", i === chosen));
      frontier.clear();
      curves.clear();
      const guess = { class: "tick", x: curves.X(epochs), y: curves.Y(GUESSING) + 13, "text-anchor": "end" };
      curves.layer.append(draw("text", guess, say.guessing));
      for (const arm of shown(s)) {
        const found = lrs.map((_, i) => (tried.has(i) ? accuracy(data, s.images, arm, i) : null));
        found.forEach((here, i) => {
          const next = found[i + 1];
          if (here && next) frontier.line([[lrs[i], here.mean], [lrs[i + 1], next.mean]], LOOKS[arm]);
        });
        found.forEach((here, i) => {
          if (!here) return;
          frontier.line([[lrs[i], here.low], [lrs[i], here.high]], `spread ${LOOKS[arm].split(" ")[0]}`);
          mark(frontier, lrs[i], here.mean, arm, i === chosen);
        });
        for (const run of data[s.images][arm][chosen]) curves.line(run.map((value, k) => [k + 1, value / 1000]), `thin ${LOOKS[arm]}`);
        const mean = curve(data, s.images, arm, chosen);
        curves.line(mean.map((value, k) => [k + 1, value]), LOOKS[arm]);
        if (mean.length) mark(curves, mean.length, mean[mean.length - 1], arm, false);
      }
      ui.numbers.textContent = about(s);
    }

    function mark(place, x, y, arm, now) { // a circle with BN, a square without
      const kind = `mark ${LOOKS[arm].split(" ")[0]}${now ? " now" : ""}`;
      const at = { class: kind, "data-arm": arm, "data-value": y.toFixed(4) };
      const circle = { ...at, cx: place.X(x), cy: place.Y(y), r: 4.5 };
      const square = { ...at, x: place.X(x) - 4, y: place.Y(y) - 4, width: 8, height: 8 };
      place.layer.append(arm === "batch" ? draw("circle", circle) : draw("rect", square));
      if (place !== frontier || !data.lost[arm][lrs.indexOf(x)]) return;
      place.layer.append(draw("path", { class: LOOKS[arm].split(" ")[0], d: `M${place.X(x) - 8} ${place.Y(y) - 8}l16 16m0-16l-16 16` }));
    }

    function about(s) { // the numbers at a rate
      const what = at(s, put(say.after_on, { images: say[s.images], epochs }));
      return [what, ...shown(s).map((arm) => line(arm, s, lrs.indexOf(s.lr)))].join("\n");
    }

    function line(arm, s, i) {
      const found = accuracy(data, s.images, arm, i);
      const values = found && { mean: fixed(found.mean, 3), low: fixed(found.low, 3), high: fixed(found.high, 3), loss: data.loss[arm][i] };
      const parts = [...(found ? [put(say.result, values)] : []), ...stopped(arm, i)];
      return put(say.line, { arm: say[arm], text: parts.join(say.between) });
    }

    function stopped(arm, i) {
      const steps = data.diverged[arm][i], epoch = data.lost[arm][i];
      return [
        ...(steps.length ? [put(say.diverged, { count: steps.length, step: Math.min(...steps) })] : []),
        ...(epoch ? [put(say.lost, { epoch, guess: fixed(data.guess) })] : []),
      ];
    }

    function at({ lr }, text) {
      return put(say.at, { lr, text });
    }

    function seen(s) {
      const learned = (arm) => (accuracy(data, s.images, arm, lrs.indexOf(s.lr)) || { mean: 0 }).mean > LEARNED;
      const lost = (arm) => data.lost[arm][lrs.indexOf(s.lr)];
      const said = shown(s).map((arm) => put(learned(arm) ? say.learns : lost(arm) ? say.diverges : say.guesses, { arm: say[arm] }));
      return at(s, said.join(say.between));
    }

    function overall(s) {
      return put(say.in_all, { text: shown(s).map((arm) => span(arm, s.images)).join(say.between) });
    }

    function span(arm, images) {
      const means = lrs.map((_, i) => (accuracy(data, images, arm, i) || { mean: 0 }).mean);
      const learned = lrs.filter((_, i) => means[i] > LEARNED), best = means.indexOf(Math.max(...means));
      return put(say.span, { arm: say[arm], low: learned[0], high: learned[learned.length - 1], best: lrs[best], mean: fixed(means[best], 3) });
    }
  },
};

const shown = (s) => (s.arms === "both" ? ["batch", "none"] : [s.arms]);

// mean over seeds in each epoch that all runs have finished
function curve(data, images, arm, i) {
  const runs = data[images][arm][i], length = Math.min(...runs.map((run) => run.length));
  return [...Array(length)].map((_, k) => runs.reduce((sum, run) => sum + run[k], 0) / runs.length / 1000);
}

// in the last epoch: mean, lowest and highest of the seeds; null where not all runs have come so far
function accuracy(data, images, arm, i) {
  const ends = data.ends[images][arm][i].map((value) => value / 1e5);
  if (!ends.length) return null;
  return { mean: ends.reduce((sum, x) => sum + x, 0) / ends.length, low: Math.min(...ends), high: Math.max(...ends) };
}
