// Charts: axes, lines and dots.

// axes with ticks ([value, text]) and labels; X and Y place values, line and dot draw into a layer that clear() empties
function chart({ width, height, x, y, xTicks, yTicks, xLabel, yLabel, xLog = false, yLog = false, left = 46, label }) {
  const [right, top, bottom] = [width - 12, 26, height - 40];
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const scale = ([low, high], log, from, to) => (value) => {
    const by = log ? Math.log : (number) => number;
    return from + ((by(Math.min(Math.max(value, low), high)) - by(low)) / (by(high) - by(low))) * (to - from);
  };
  const [X, Y] = [scale(x, xLog, left, right), scale(y, yLog, bottom, top)];
  for (const [value, text] of yTicks) {
    picture.append(draw("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }));
    picture.append(draw("text", { class: "tick", x: left - 6, y: Y(value) + 4, "text-anchor": "end" }, text));
  }
  for (const [value, text] of xTicks) {
    picture.append(draw("line", { class: "axis", x1: X(value), x2: X(value), y1: bottom, y2: bottom + 4 }));
    picture.append(draw("text", { class: "tick", x: X(value), y: bottom + 18, "text-anchor": "middle" }, text));
  }
  picture.append(draw("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
  picture.append(draw("text", { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" }, xLabel));
  picture.append(draw("text", { x: 4, y: 15 }, yLabel));
  const layer = picture.appendChild(draw("g"));
  const line = (points, kind) => {
    const d = points.map(([a, b], i) => `${i ? "L" : "M"}${X(a).toFixed(1)} ${Y(b).toFixed(1)}`).join("");
    return layer.appendChild(draw("path", { d, class: kind }));
  };
  const dot = (a, b, kind, r = 4) => layer.appendChild(draw("circle", { cx: X(a), cy: Y(b), r, class: kind, fill: "var(--ground)", "stroke-width": 2 }));
  return { picture, layer, X, Y, line, dot, clear: () => layer.replaceChildren() };
}
