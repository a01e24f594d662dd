// Noise dial: the spread of batch statistics against the batch size, and one image's logits. Meaning: noise_dial.py.
// Stands on frame, slider, choices, charts.

const ROW = 25; // of the classes
const LOGITS = [-6, 8];

const OWN_STYLE = `
.bnlib-noise_dial .now { stroke: var(--ink); stroke-dasharray: 2 3; }
.bnlib-noise_dial .mark { fill: var(--ground); stroke-width: 2; } .bnlib-noise_dial .mark.here { stroke-width: 4; }
.bnlib-noise_dial .two { stroke: var(--blue); stroke-width: 2; } .bnlib-noise_dial .one { stroke: var(--blue); stroke-width: 9; }
.bnlib-noise_dial .all { stroke: var(--warm); stroke-width: 2.5; } .bnlib-noise_dial .most { font-weight: 700; }
.bnlib-noise_dial .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 5px; }
.bnlib-noise_dial .legend { color: var(--soft); font-size: 13px; }
.bnlib-noise_dial input[type=range] { width: 170px; }
`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "noise_dial", paint, arrange);
    ui.root.insertBefore(ui.controls, ui.scene);
    const { say } = ui, data = model.get("data");
    let width, spread;
    const upper = make("div"), logits = draw("svg", { role: "img", "aria-label": say.logits_label });
    arrange();
    ui.scene.append(
      make("style", {}, OWN_STYLE), upper, make("p", { class: "legend" }, say.spread_legend),
      logits, make("p", { class: "legend" }, put(say.logits_legend, { draws: data.draws, examples: data.examples.toLocaleString("en-US") })),
    );
    ui.report = () => outcome(ui.state());
    const change = (values) => {
      ui.set(values);
      ui.tell(ui.report());
    };
    slider(ui, "batch_size", say.batch_size, { values: data.sizes, show: String, change });
    choice(ui, "image", say.image, Object.fromEntries(ui.limits.image.map((image) => [image, say[`image_${image}`]])), change);
    const states = ui.limits.image.flatMap((image) => data.sizes.map((m) => ({ image, batch_size: m })));
    ui.keepRoom(ui.readout, [say.start, ...states.map(outcome)]);
    ui.repaint();
    return ui.close;

    function arrange() {
      width = ui.narrow ? 340 : 600;
      spread = chart({
        width, height: 230, x: [1.7, 300], y: [0.025, 1], xLog: true, yLog: true, label: say.spread_label,
        xTicks: data.sizes.map((m) => [m, String(m)]), yTicks: [0.03, 0.1, 0.3, 1].map((y) => [y, String(y)]),
        xLabel: say.batch_size, yLabel: say.spread_axis,
      });
      upper.replaceChildren(spread.picture);
      logits.setAttribute("viewBox", `0 0 ${width} ${10 * ROW + 52}`);
    }

    function paint() {
      const s = ui.state(), now = measured(data, s.image, s.batch_size);
      paintSpread(s.batch_size);
      paintLogits(now);
      const expected = theory(s.batch_size, data.kurtosis);
      ui.numbers.textContent = put(say.spread, {
        m: s.batch_size, mean: fixed(now.mean_spread, 3), mean_theory: fixed(expected.mean, 3),
        scale: fixed(now.scale_spread, 3), scale_theory: fixed(expected.scale, 3),
      });
    }

    function paintSpread(size) {
      spread.clear();
      const { X, Y } = spread, fine = Array.from({ length: 71 }, (_, i) => 2 ** (1 + i / 10));
      spread.layer.append(draw("line", { class: "now", x1: X(size), x2: X(size), y1: Y(1), y2: Y(0.025) }));
      for (const [kind, look] of [["mean", "blue"], ["scale", "warm dashed"]]) {
        spread.line(fine.map((m) => [m, theory(m, data.kurtosis)[kind]]), look);
        data.sizes.forEach((m, i) => {
          const [x, y, here] = [X(m), Y(data[kind][i]), m === size ? " here" : ""], value = { "data-spread": `${kind} ${m} ${data[kind][i]}` };
          const look2 = `mark ${look.split(" ")[0]}${here}`;
          spread.layer.append(
            kind === "mean" ? draw("circle", { cx: x, cy: y, r: 5, class: look2, ...value })
              : draw("rect", { x: x - 4.5, y: y - 4.5, width: 9, height: 9, class: look2, ...value }),
          );
        });
      }
      spread.layer.append(
        draw("text", { class: "halo", x: X(24), y: Y(0.26) }, say.mean), draw("text", { class: "halo", x: X(2.2), y: Y(0.045) }, say.scale),
      );
    }

    function paintLogits(now) {
      logits.replaceChildren();
      const [left, right] = [ui.narrow ? 88 : 112, width - 50], bottom = 10 * ROW + 14;
      const at = (value) => left + ((Math.min(Math.max(value, LOGITS[0]), LOGITS[1]) - LOGITS[0]) / (LOGITS[1] - LOGITS[0])) * (right - left);
      for (let value = -6; value <= 8; value += 2) {
        logits.append(draw("line", { class: value ? "grid" : "axis", x1: at(value), x2: at(value), y1: 6, y2: bottom }));
        logits.append(draw("text", { class: "tick", x: at(value), y: bottom + 16, "text-anchor": "middle" }, fixed(value, 0)));
      }
      logits.append(draw("text", { x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle" }, say.logit));
      const most = now.wins.indexOf(Math.max(...now.wins));
      data.classes.forEach((name, i) => {
        const y = 18 + ROW * i, [mean, std] = [now.mean[i], now.std[i]], weight = i === most ? "most" : "";
        const row = logits.appendChild(draw("g", { class: "class", "data-logit": `${mean} ${std} ${now.wins[i]}` }));
        row.append(draw("text", { x: left - 8, y: y + 5, "text-anchor": "end", class: weight }, name));
        for (const [look, sds] of [["two", 2], ["one", 1]]) row.append(draw("line", { class: look, x1: at(mean - sds * std), x2: at(mean + sds * std), y1: y, y2: y }));
        row.append(draw("line", { class: "all", x1: at(now.population[i]), x2: at(now.population[i]), y1: y - 10, y2: y + 10 }));
        row.append(draw("circle", { class: "mark blue", cx: at(mean), cy: y, r: 4 }));
        row.append(draw("text", { x: width - 4, y: y + 5, "text-anchor": "end", class: weight }, put(say.share, { share: fixed(100 * now.wins[i], 0) })));
      });
    }

    function outcome(s) {
      const now = measured(data, s.image, s.batch_size);
      const order = [...now.wins.keys()].filter((i) => now.wins[i] >= 0.005).sort((a, b) => now.wins[b] - now.wins[a]);
      const winner = (i) => put(say.winner, { name: data.classes[i], share: fixed(100 * now.wins[i], 0) });
      return put(say.outcome, {
        m: s.batch_size, index: now.index, label: data.classes[now.label], winners: order.map(winner).join(say.and),
        std: fixed(now.std.reduce((sum, x) => sum + x, 0) / now.std.length),
      });
    }
  },
};

// what m independent values with this excess kurtosis let expect: of the mean in σ, of the scale in parts of itself
function theory(m, kurtosis) {
  return { mean: 1 / Math.sqrt(m), scale: Math.sqrt(2 / (m - 1) + kurtosis / m) / 2 };
}

// what was measured at this batch size, of this image
function measured(data, image, m) {
  const i = data.sizes.indexOf(m), { population, mean, std, wins, index, label } = data.images[image];
  return { mean_spread: data.mean[i], scale_spread: data.scale[i], population, index, label, mean: mean[i], std: std[i], wins: wins[i].map((n) => n / data.draws) };
}
