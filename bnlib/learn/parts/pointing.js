// Dragging, and the keys of a slider.

// of what can be dragged; a group of SVG takes touch-action as a block alone
const KNOBS = scoped(".bnlib-frame", `.knob { display: block; cursor: grab; touch-action: none; outline: none; }
.knob circle { fill: var(--ground); stroke: var(--blue); stroke-width: 2.5; }
.knob:is(:focus-visible, .held) circle { stroke: var(--warm); stroke-width: 4; }
`);

// whether a pointerdown begins a drag: no second finger, no other button
const grabs = (event) => event.isPrimary && event.button === 0;

// a pointer's place, in the units of the picture's viewBox
function placed({ clientX, clientY }, picture) {
  const view = picture.viewBox.baseVal, box = picture.getBoundingClientRect();
  return [view.x + ((clientX - box.left) / box.width) * view.width, view.y + ((clientY - box.top) / box.height) * view.height];
}

// which of these x a pointer is nearest to; of equals the last one, which lies above
function nearest(event, picture, places) {
  const away = places.map((x) => Math.abs(x - placed(event, picture)[0]));
  return away.lastIndexOf(Math.min(...away));
}

// from pointerdown on: move(x, y) in the units of the picture's viewBox, and drop() at the end
function drag(event, picture, move, drop) {
  event.preventDefault();
  const moved = (now) => {
    if (now.pointerId === event.pointerId) move(...placed(now, picture));
  };
  const dropped = ({ pointerId }) => {
    if (pointerId !== event.pointerId) return;
    window.removeEventListener("pointermove", moved);
    for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, dropped);
    drop();
  };
  window.addEventListener("pointermove", moved);
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, dropped);
}

// where a key takes a value between low and high, null if it is none of a slider's keys
function keyed(event, value, low, high, step) {
  if (event.altKey || event.ctrlKey || event.metaKey) return null; // the browser's own
  const far = event.shiftKey ? 10 * step : step;
  const by = { ArrowRight: far, ArrowUp: far, ArrowLeft: -far, ArrowDown: -far, PageUp: 10 * step, PageDown: -10 * step };
  const to = { Home: low, End: high }[event.key] ?? value + by[event.key];
  if (Number.isNaN(to)) return null;
  event.preventDefault();
  return Math.min(Math.max(to, low), high);
}
