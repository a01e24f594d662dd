// Moving-average lag: choose a momentum, see how the moving average follows the true statistic. State and meaning: lag.py.
// Stands on frame, slider, choices, charts, legend.

const UNITS = { mean: 1e-3, variance: 1e-4 }; // of the stored numbers; accuracies are in thousandths
const STARTS = { mean: 0, variance: 1 };

const OWN_STYLE = `
.bnlib-lag .batch { fill: var(--soft); opacity: 0.55; } .bnlib-lag .mark { fill: var(--ground); stroke-width: 2; }
.bnlib-lag .dots { stroke: var(--soft); stroke-width: 4; stroke-linecap: round; stroke-dasharray: 0.1 8; }
.bnlib-lag label:has([type=range]) { display: grid; grid-template-columns: minmax(0, 20em) 1fr 2.6em; width: 100%; }
@media (max-width: 479px) { .bnlib-lag label:has([type=range]) { grid-template-columns: 1fr 2.6em; }
  .bnlib-lag input[type=range] { order: 1; grid-column: span 2; } }
.bnlib-lag input[type=range] { width: auto; } .bnlib-lag .scene > div:first-of-type { margin-bottom: -12px; } .bnlib-lag .numbers { white-space: pre-line; }
`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "lag", paint, arrange);
    const { say } = ui;
    const data = model.get("data"), { momenta, steps } = data;
    const count = data.runs[0].mean.batch.length;
    const size = { x: [0, count], left: 42, xTicks: [...Array(Math.floor(count / steps) + 1)].map((_, i) => [i * steps, String(i * steps)]) };
    const tenths = [0.1, 0.3, 0.5, 0.7, 0.9].map((value) => [value, String(value)]);
    const [upper, lower] = [make("div"), make("div")];
    let series, scores;
    arrange();
    ui.scene.append(make("style", {}, OWN_STYLE), upper, lower);
    legend(ui, [["warm", say.moving], ["blue dashed", put(say.true, { examples: data.examples.toLocaleString("en-US") })], ["dots", say.batch]]);
    ui.report = () => seen(ui.state());
    const change = (values) => {
      ui.set(values);
      ui.tell(ui.report());
    };
    slider(ui, "momentum", say.new, { values: momenta, show: short, change });
    slider(ui, "momentum", say.old, { values: [...momenta].reverse(), show: (value) => short(1 - value), change });
    choice(ui, "lr", say.rate, Object.fromEntries(data.lrs.map((lr) => [lr, fixed(lr, 1)])), change);
    choice(ui, "statistic", say.statistic, { mean: say.mean, variance: say.variance }, change);
    ui.repaint();
    const states = data.lrs.flatMap((lr) => momenta.map((momentum) => ({ ...ui.state(), lr, momentum })));
    ui.keepRoom(ui.numbers, states.flatMap((s) => [about({ ...s, statistic: "mean" }), about({ ...s, statistic: "variance" })]));
    ui.keepRoom(ui.readout, [say.start, ...states.map(seen)]);
    return ui.close;

    function arrange() {
      size.width = ui.narrow ? 340 : 600;
      series = { mean: axes("mean"), variance: axes("variance") };
      scores = chart({ ...size, height: 200, y: [0, 1], yTicks: tenths, xLabel: say.step, yLabel: say.accuracy, label: say.scores });
      lower.replaceChildren(scores.picture);
    }

    function axes(statistic) {
      const all = data.runs.flatMap((run) => [...run[statistic].batch, ...run[statistic].true]).map((value) => value * UNITS[statistic]);
      const [low, high] = [Math.min(STARTS[statistic], ...all), Math.max(STARTS[statistic], ...all)];
      const first = Math.ceil(2 * low), last = Math.ceil(2 * high);
      const yTicks = [...Array(last - first + 1)].map((_, i) => [(first + i) / 2, fixed((first + i) / 2, 1)]);
      const named = { statistic: say[statistic] };
      const y = [Math.min(low, first / 2) - 0.02, last / 2];
      return chart({ ...size, height: 210, y, yTicks, xLabel: "", yLabel: put(say.one, named), label: put(say.series, named) });
    }

    function paint() {
      const s = ui.state(), run = of(data, s.lr), { batch, true: exact } = run[s.statistic], unit = UNITS[s.statistic];
      const top = series[s.statistic], every = (values, by, scale) => values.map((value, i) => [(i + 1) * by, value * scale]);
      upper.replaceChildren(top.picture);
      top.clear();
      scores.clear();
      for (const [step, value] of every(batch, 1, unit)) {
        top.layer.append(draw("circle", { class: "batch", cx: top.X(step), cy: top.Y(value), r: 2 }));
      }
      top.line(every(exact, data.every, unit), "blue dashed");
      top.line([[0, STARTS[s.statistic]], ...every(moving(run, s.momentum, s.statistic), 1, 1)], "warm");
      for (const [values, kind] of [[run.recalibrated, "blue dashed"], [run.moving[nearest(data, s.momentum)], "warm"]]) {
        const points = every(values, data.score_every, 1e-3);
        scores.line(points, kind);
        for (const [step, value] of points) scores.dot(step, value, `mark ${kind.split(" ")[0]}`, 3);
      }
      ui.numbers.textContent = about(s);
    }

    function about(s) {
      return [say.formula, say[`behind_${s.statistic}`], say.ends].map((sentence) => put(sentence, told(s))).join("\n");
    }

    function seen(s) {
      return put(say.seen, told(s));
    }

    function told(s) { // the numbers of the sentences
      const run = of(data, s.lr), at = nearest(data, s.momentum), last = (values) => fixed(values[values.length - 1] / 1000, 3);
      return {
        new: short(s.momentum), old: short(1 - s.momentum), measured: short(momenta[at]), lag: fixed(lag(run, s.momentum, s.statistic, data)),
        moving: last(run.moving[at]), recalibrated: last(run.recalibrated), lost: fixed(losses(run, at, data), 3),
      };
    }
  },
};

const short = (value) => String(Number(value.toFixed(3)));
const of = (data, lr) => data.runs[data.lrs.indexOf(lr)];

// the moving average after each step, as a layer in training mode computes it
function moving(run, momentum, statistic) {
  let kept = STARTS[statistic];
  return run[statistic].batch.map((batch) => (kept = (1 - momentum) * kept + momentum * (batch * UNITS[statistic])));
}

// root mean square of its distance from the true one after the first epoch: of means in standard deviations, of
// variances as a share of the true one
function lag(run, momentum, statistic, { every, steps }) {
  const kept = moving(run, momentum, statistic), variances = run.variance.true.map((value) => value * UNITS.variance);
  const off = run[statistic].true.map((value, i) => {
    const unit = statistic === "mean" ? Math.sqrt(variances[i]) : variances[i];
    return (kept[(i + 1) * every - 1] - value * UNITS[statistic]) / unit;
  });
  const late = off.filter((_, i) => (i + 1) * every > steps);
  return Math.sqrt(late.reduce((sum, x) => sum + x * x, 0) / late.length);
}

// which of the recorded momenta is nearest
function nearest({ momenta }, momentum) {
  const far = momenta.map((value) => Math.abs(Math.log(value / momentum)));
  return far.indexOf(Math.min(...far));
}

// what moving averages cost in test accuracy after the first epoch, on average
function losses(run, at, { score_every, steps }) {
  const lost = run.recalibrated.map((value, i) => value - run.moving[at][i]).filter((_, i) => (i + 1) * score_every > steps);
  return lost.reduce((sum, x) => sum + x, 0) / lost.length / 1000;
}
