// Which mode am I in: predict what a layer uses and what it changes, then see. State, and who measured it: modes.py.
// Stands on frame, choices, toggle.

const OWN_STYLE = `
.bnlib-modes .scene { margin: 10px 0; } .bnlib-modes svg { max-width: 560px; margin: 6px auto; }
.bnlib-modes pre { margin: 0; padding: 8px 12px; border: 1px solid var(--line); border-radius: 6px; background: transparent;
  color: inherit; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; }
.bnlib-modes rect { fill: var(--ground); stroke: var(--soft); }
.bnlib-modes .layer rect { fill: var(--wash); stroke: var(--blue); }
.bnlib-modes path { stroke: var(--soft); } .bnlib-modes .head { fill: var(--soft); stroke: none; }
.bnlib-modes .yes path { stroke: var(--blue); stroke-width: 3; } .bnlib-modes .yes .head { fill: var(--blue); stroke: none; }
.bnlib-modes .yes text { font-weight: 700; }
.bnlib-modes .no path { stroke: var(--line); } .bnlib-modes .no .head { fill: none; } .bnlib-modes .no text { fill: var(--soft); font-size: 12px; }
.bnlib-modes .ask path:not(.head) { stroke-dasharray: 4 5; } .bnlib-modes .ask text { font-size: 18px; font-weight: 700; }
.bnlib-modes .answers { display: grid; grid-template-columns: max-content 1fr; gap: 8px 12px; align-items: center; margin: 8px 0; }
.bnlib-modes .answers div { display: flex; flex-wrap: wrap; gap: 8px; }
.bnlib-modes [aria-pressed=true] { border-color: var(--blue); box-shadow: inset 0 0 0 1px var(--blue); background: var(--wash); }
.bnlib-modes .answers button { min-width: 96px; } .bnlib-modes [aria-disabled=true] { cursor: default; }
.bnlib-modes .answers .wrong { border-color: var(--warm); box-shadow: inset 0 0 0 1px var(--warm); }
.bnlib-modes .answers .right { border-color: var(--third); box-shadow: inset 0 0 0 1px var(--third); }
.bnlib-modes table { border-collapse: collapse; width: 100%; margin: 8px 0; font-size: 13px; }
.bnlib-modes :is(th, td) { border: 1px solid var(--line); padding: 4px 6px; text-align: left; font-weight: 400; color: var(--ink); background: var(--ground); }
.bnlib-modes :is(th, td) span { display: block; } .bnlib-modes thead th { font-weight: 600; } .bnlib-modes caption { caption-side: top; } .bnlib-modes td.here { box-shadow: inset 0 0 0 2px var(--warm); }
@media (max-width: 479px) { .bnlib-modes .answers { grid-template-columns: 1fr; gap: 4px; } }
`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "modes", paint, arrange);
    const { say } = ui;
    const { table, code } = model.get("data");
    let answers = {}, all = false; // answers: combination -> what the reader said to the two questions, null: nothing yet

    const program = make("pre");
    const picture = draw("svg", { role: "img" });
    const questions = make("div", { class: "answers" });
    const asked = [
      question(0, say.ask_statistics, { batch: say.of_batch, moving: say.moving_averages }),
      question(1, say.ask_changes, { true: say.change, false: say.stay }),
    ];
    const whole = make("details"), cells = make("table");
    whole.append(make("summary", {}, say.whole), cells, button(say.fill_in, () => { all = true; ui.repaint(); }));

    ui.root.insertBefore(ui.controls, ui.scene);
    ui.scene.append(make("style", {}, OWN_STYLE), program, picture, questions);
    ui.root.append(ui.numbers, whole);
    choice(ui, "layer", say.layer, say);
    choice(ui, "mode", say.mode, Object.fromEntries(ui.limits.mode.map((mode) => [mode, `${mode}()`])));
    toggle(ui, "grad", say.grad);
    ui.onReset = () => { answers = {}; all = false; };
    arrange();
    ui.repaint();
    ui.keepRoom(ui.readout, Object.keys(table).flatMap((at) => {
      const truth = table[at].map(String);
      return [truth, ["", truth[1]], ["", ""]].map((given) => explained({ layer: at.split(" ")[0] }, truth, given));
    }));
    return ui.close;

    function arrange() {
      picture.setAttribute("viewBox", ui.narrow ? "0 0 340 184" : "0 0 560 178");
    }

    // a row of buttons, one for each answer
    function question(which, text, labels) {
      const row = make("div", { role: "group", "aria-label": text });
      questions.append(make("span", { "aria-hidden": true }, text), row);
      return Object.entries(labels).map(([value, label]) => {
        const node = row.appendChild(button(label, () => {
          const at = key(ui.state()), given = answers[at] ?? [null, null];
          if (complete(given)) return;
          answers[at] = given.map((one, i) => (i === which ? value : one));
          ui.repaint();
        }));
        return { value, label, node };
      });
    }

    function paint() {
      const s = ui.state(), at = key(s), given = answers[at] ?? [null, null], open = complete(given);
      const truth = table[at].map(String);
      program.textContent = [
        `layer = ${code[s.layer]}`, `layer.${s.mode}()`, `with torch.${s.grad ? "enable_grad" : "no_grad"}():`, "    y = layer(x)",
      ].join("\n");
      asked.forEach((buttons, which) => buttons.forEach(({ value, label, node }) => {
        const right = open && truth[which] === value, chosen = given[which] === value;
        node.textContent = `${right ? "✓ " : open && chosen ? "✗ " : ""}${label}`;
        node.setAttribute("class", right ? "right" : open && chosen ? "wrong" : "");
        node.setAttribute("aria-pressed", chosen);
        node.setAttribute("aria-disabled", open);
      }));
      ui.tell(open ? explained(s, truth, given) : given.some(Boolean) ? say.half : say.start);
      show(open ? table[at] : null);
      const done = Object.keys(answers).filter((one) => complete(answers[one]));
      const good = done.filter((one) => table[one].join() === answers[one].join()).length;
      ui.numbers.textContent = put(say.score, { done: done.length, all: Object.keys(table).length, good });
      fillTable(s);
    }

    function tried(layer) {
      return all || Object.keys(table).filter((one) => one.startsWith(`${layer} `)).every((one) => complete(answers[one] ?? [null]));
    }

    function explained(s, truth, given) {
      const good = truth.filter((one, i) => one === given[i]).length;
      return [
        [say.none_right, say.one_right, say.both_right][good],
        put(say[`used_${truth[0]}`], { layer: say[`the_${s.layer}`] }),
        say[`changed_${truth[1]}`],
        ...(tried(s.layer) ? heard(table, s).map((by) => say[`hears_${by}`]) : []), // not before all four are predicted
      ].join(model.get("lang") === "zh" ? "" : " ");
    }

    // the batch and the two pairs of statistics, and what goes where; null: not told yet
    function show(truth) {
      const { narrow } = ui;
      const box = (x, y, width, text, kind = "") => {
        const group = picture.appendChild(draw("g", { class: kind }));
        group.append(draw("rect", { x, y, width, height: 38, rx: 6 }), draw("text", { x: x + width / 2, y: y + 24, "text-anchor": "middle" }, text));
      };
      const arrow = (d, [x, y], turn, kind, text, at, anchor = "middle") => {
        const group = picture.appendChild(draw("g", { class: kind }));
        group.append(draw("path", { d }), draw("path", { class: "head", d: "M-5-9L5-9L0 1z", transform: `translate(${x} ${y}) rotate(${turn})` }));
        if (text) group.append(draw("text", { x: at[0], y: at[1], "text-anchor": anchor }, text));
      };
      const [mid, low, width] = narrow ? [170, 138, 126] : [280, 132, 160]; // middle of the layer, top of the lower row
      const [a, b] = narrow ? [64, 276] : [120, 440]; // middles of the lower boxes
      const half = narrow ? 92 : 110;
      picture.replaceChildren();
      arrow(`M${narrow ? 34 : 60} 37H${mid - half - 6}`, [mid - half - 1, 37], -90, "", "", []);
      arrow(`M${mid + half} 37H${narrow ? 312 : 494}`, [narrow ? 317 : 500, 37], -90, "", "", []);
      picture.append(draw("text", { x: narrow ? 16 : 40, y: 42 }, "x"), draw("text", { x: narrow ? 324 : 510, y: 42 }, "y"));
      box(mid - half, 18, 2 * half, "(x − μ) / √(σ² + ε)", "layer");
      box(a - width / 2, low, width, say.of_batch);
      box(b - width / 2, low, width, say.moving_averages);
      const state = (yes) => (truth === null ? "ask" : yes ? "yes" : "no");
      const mark = (yes, text) => (truth === null ? "?" : yes ? text : "");
      for (const [from, to, name, side] of [[a, mid - half + 34, "batch", -1], [b, mid + half - 34, "moving", 1]]) {
        const yes = truth?.[0] === name, turn = (Math.atan2(from - to, 57 - low) * 180) / Math.PI;
        arrow(`M${from} ${low}L${to + (from - to) * 0.08} 64`, [to, 58], turn, state(yes), mark(yes, say.used), [(from + to) / 2 + side * (narrow ? 14 : 24), 100], side < 0 ? "end" : "start");
      }
      const yes = truth?.[1] === true;
      arrow(`M${a + width / 2} ${low + 19}H${b - width / 2 - 6}`, [b - width / 2 - 1, low + 19], -90, state(yes), yes || truth === null ? mark(yes, say.update) : say.unchanged, [(a + b) / 2, low + (narrow ? 8 : 11)]);
      picture.setAttribute("aria-label", truth === null ? say.open_picture : `${truth[0] === "batch" ? say.of_batch : say.moving_averages}: ${say.used}`);
    }

    function fillTable(s) {
      const lines = (tag, attributes, texts) => {
        const node = make(tag, attributes);
        node.append(...texts.map((text) => make("span", {}, text)));
        return node;
      };
      const head = make("tr"), top = make("thead"), body = make("tbody");
      head.append(make("td"), ...ui.limits.layer.map((layer) => make("th", { scope: "col" }, say[layer])));
      top.append(head);
      for (const mode of ui.limits.mode) for (const grad of [true, false]) {
        const row = body.appendChild(make("tr"));
        row.append(lines("th", { scope: "row" }, [`${mode}()`, grad ? say.grad_on : say.grad_off]));
        for (const layer of ui.limits.layer) {
          const at = key({ layer, mode, grad }), [used, changes] = table[at];
          const known = all || complete(answers[at] ?? [null]);
          const texts = known ? [say[used], changes ? say.update : say.unchanged] : ["?"];
          row.append(lines("td", at === key(s) ? { class: "here" } : {}, texts));
        }
      }
      cells.replaceChildren(make("caption", {}, say.caption), top, body);
    }
  },
};

const complete = (given) => !given.includes(null);
const key = ({ layer, mode, grad }) => `${layer} ${mode} ${grad ? "on" : "off"}`;

// which of the two switches alone makes a difference to this layer, as the table has it: "mode", "grad", or none
function heard(table, { layer }) {
  const result = (mode, grad) => table[key({ layer, mode, grad })].join();
  const both = [true, false];
  const mode = both.some((grad) => result("train", grad) !== result("eval", grad));
  const grad = ["train", "eval"].some((one) => result(one, true) !== result(one, false));
  return mode === grad ? [] : [mode ? "mode" : "grad"];
}
