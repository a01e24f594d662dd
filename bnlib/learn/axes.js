// Which numbers share statistics: point at one number of a block and see its companions. State and meaning: axes.py.
// Stands on frame, choices, menu.

const SHAPE = [3, 4, 2, 2]; // N, C, H, W
const EPS = 1e-5;

const OWN_STYLE = `
.bnlib-axes svg { max-width: 584px; margin: 0 auto; touch-action: manipulation; }
.bnlib-axes [role=gridcell] { cursor: pointer; outline: none; }
.bnlib-axes [role=gridcell] text { text-anchor: middle; dominant-baseline: central; pointer-events: none; }
.bnlib-axes .shown [role=gridcell]:not(.shares) text { fill: var(--soft); }
.bnlib-axes [role=gridcell] rect { fill: var(--ground); stroke: var(--line); }
.bnlib-axes [role=gridcell].shares rect { fill: var(--wash); stroke: var(--blue); stroke-width: 2; }
.bnlib-axes .shares text { font-weight: 700; }
.bnlib-axes [role=gridcell]:focus-visible rect { stroke: var(--warm); }
.bnlib-axes .ring { fill: none; stroke: var(--warm); stroke-width: 4; pointer-events: none; visibility: hidden; }
.bnlib-axes .shown .ring { visibility: visible; }
.bnlib-axes .numbers { margin-top: 10px; white-space: pre-line; }
.bnlib-axes label:has(:disabled) { opacity: .5; }
`;

export default {
  render({ model, el }) {
    const ui = frame({ model, el }, "axes", paint, arrange);
    const { say } = ui;
    const picture = draw("svg", { role: "grid", "aria-label": say.block });
    let cells = [], ring = null, rows = 0, wide, high, across, down, left, top;

    arrange();
    ui.scene.append(make("style", {}, OWN_STYLE), picture);
    ui.root.insertBefore(ui.controls, ui.scene);
    choice(ui, "kind", say.kind, say);
    menu(ui, "groups", say.groups, [1, 2, 4]);
    ui.add(button(say.other_numbers, () => ui.set({ values: ui.state().values.map(() => Math.floor(10 * Math.random())) })));
    ui.repaint();
    const all = ui.limits.kind.flatMap((kind) => [0, 1, 2].map((sample) => told({ ...ui.state(), kind, sample })));
    ui.keepRoom(ui.numbers, all.map(([about]) => about));
    ui.keepRoom(ui.readout, [say.start, ...all.map(([, shared]) => shared)]);
    return ui.close;

    function arrange() {
      // width and height of a cell, gaps between the grids, and the room for what is written beside and above them
      [wide, high, across, down, left, top] = ui.narrow ? [37, 34, 10, 28, 0, 44] : [56, 36, 24, 16, 76, 24];
      picture.setAttribute("viewBox", `0 0 ${left + 8 * wide + 3 * across + 4} ${top + 6 * high + 2 * down + 4}`);
      rows = 0;
    }

    // a cell for each number, row by row of what stands side by side
    function build([N, C, H, W]) {
      const [w, h] = [(wide * SHAPE[3]) / W, (high * SHAPE[2]) / H];
      const X = (c) => left + 2 + c * (2 * wide + across), Y = (n) => top + 2 + n * (2 * high + down);
      const label = (x, y, text, anchor = "middle") => draw("text", { class: "tick", x, y, "text-anchor": anchor, "aria-hidden": true }, text);
      picture.replaceChildren();
      for (let c = 0; c < C; c++) picture.append(label(X(c) + wide, 14, put(H > 1 ? say.channel : say.feature, { c })));
      cells = [];
      for (let n = 0; n < N; n++) {
        picture.append(ui.narrow ? label(X(0), Y(n) - 7, put(say.sample, { n }), "start") : label(left - 14, Y(n) + high + 4, put(say.sample, { n }), "end"));
        for (let i = 0; i < H; i++) {
          const row = picture.appendChild(draw("g", { role: "row" }));
          for (let c = 0; c < C; c++) for (let j = 0; j < W; j++) {
            const index = [n, c, i, j], [x, y] = [X(c) + j * w, Y(n) + i * h];
            const cell = row.appendChild(draw("g", { role: "gridcell", tabindex: -1 }));
            cell.append(draw("rect", { x, y, width: w, height: h }), draw("text", { x: x + w / 2, y: y + h / 2 }));
            for (const event of ["pointermove", "focus", "click"]) cell.addEventListener(event, () => point(index));
            cell.addEventListener("keydown", walk);
            cells.push({ cell, index });
          }
        }
      }
      ring = picture.appendChild(draw("rect", { class: "ring" })); // around the number that is pointed at, above its neighbours
    }

    function paint() {
      const s = ui.state(), own = spot(s), { shown } = s, { members } = reckon(s);
      if (rows !== shape(s)[2]) build(shape(s));
      rows = shape(s)[2];
      picture.setAttribute("class", shown ? "shown" : "");
      for (const { cell, index } of cells) {
        const here = flat(index), value = plain(s.values[here]);
        cell.setAttribute("class", shown && members.includes(here) ? "shares" : "");
        cell.setAttribute("tabindex", here === flat(own) ? 0 : -1);
        if (here === flat(own)) for (const side of ["x", "y", "width", "height"]) ring.setAttribute(side, cell.firstChild.getAttribute(side));
        cell.setAttribute("aria-label", `${name(s, index)} = ${value}`);
        cell.lastChild.textContent = value;
      }
      ui.controls.querySelector("select").disabled = s.kind !== "group";
      if (!shown) {
        ui.numbers.textContent = rows > 1 ? say.convolution : say.fully_connected;
        return;
      }
      const [about, shared] = told(s);
      ui.numbers.textContent = about;
      ui.tell(shared);
    }

    // the numbers, and in words which of them share a mean
    function told(s) {
      const { members, mean, variance, output } = reckon(s), own = spot(s), [n, c, h, w] = own;
      const gamma = { layer: say.gamma_element, instance: say.gamma_none }[s.kind] ?? say.gamma_channel;
      const about = [
        put(say.statistics, { count: members.length, all: cells.length, mean: fixed(mean), variance: fixed(variance) }).replace(/ = /g, "\u00a0=\u00a0"),
        `${name(s, own).replace("x", "x̂")} = (${plain(s.values[flat(own)])} − ${bracketed(mean)}) / √(${fixed(variance)}\u00a0+\u00a01e\u2060-\u20605) =\u00a0${fixed(output)}`,
        put(gamma, { c, h, w }),
      ].join("\n");
      const channels = group(s, c).join(model.get("lang") === "zh" ? "、" : ", ");
      return [about, put(say[`shared_${s.kind}`], { count: members.length, n, c, channels })];
    }

    function point([sample, channel, row, column]) {
      const to = { shown: true, sample, channel, ...(rows > 1 ? { row, column } : {}) };
      if (Object.entries(to).some(([trait, value]) => ui.state()[trait] !== value)) ui.set(to);
    }

    function walk(event) {
      const [N, C, H, W] = shape(ui.state()), [n, c, h, w] = spot(ui.state());
      const down = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
      const along = { ArrowLeft: -1, ArrowRight: 1, Home: -C * W, End: C * W }[event.key] ?? 0;
      if ((!down && !along) || event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
      event.preventDefault();
      const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);
      cells[clamp(n * H + h + down, N * H) * C * W + clamp(c * W + w + along, C * W)].cell.focus();
    }
  },
};

const shape = (s) => (s.kind === "batch_1d" ? [SHAPE[0], SHAPE[1], 1, 1] : SHAPE);

// where a number stands in `values`
const flat = ([n, c, h, w]) => ((n * SHAPE[1] + c) * SHAPE[2] + h) * SHAPE[3] + w;

// the index that is pointed at; without positions, row and column are 0
const spot = (s) => [s.sample, s.channel, s.kind === "batch_1d" ? 0 : s.row, s.kind === "batch_1d" ? 0 : s.column];

// the channels that share a mean with channel c, under group normalization
function group(s, c) {
  const size = SHAPE[1] / s.groups, first = Math.floor(c / size) * size;
  return Array.from({ length: size }, (_, i) => first + i);
}

// the places in `values` of all that share the mean of the one that is pointed at
function companions(s) {
  const [N, C, H, W] = shape(s), [sample, channel] = spot(s), found = [];
  const channels = { layer: [0, 1, 2, 3], group: group(s, channel) }[s.kind] ?? [channel];
  for (let n = 0; n < N; n++) {
    if (n !== sample && !s.kind.startsWith("batch")) continue;
    for (const c of channels) for (let h = 0; h < H; h++) for (let w = 0; w < W; w++) found.push(flat([n, c, h, w]));
  }
  return found;
}

function reckon(s) {
  const members = companions(s), numbers = members.map((i) => s.values[i]);
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length;
  return { members, mean, variance, output: (s.values[flat(spot(s))] - mean) / Math.sqrt(variance + EPS) };
}

const name = (s, index) => `x[${index.slice(0, s.kind === "batch_1d" ? 2 : 4).join(", ")}]`;
const plain = (value) => fixed(value, Number.isInteger(value) ? 0 : 1);
const bracketed = (value) => (value < 0 ? `(${fixed(value)})` : fixed(value));
