// The controls of an answer: options to choose, a number to set, items to order. Each hands a whole answer to `answer`,
// calls `draft` where one has been begun, and returns what shows an answer given before; null: none yet.

// one option: radio buttons, which answer at once (with arrow keys one may look around first); several: boxes and a button
function choosing(ui, { name, options }, answer, draft) {
  const several = options.filter((one) => one.right).length > 1;
  const field = make("fieldset", { class: "options" });
  const group = `${name}-${Math.random().toString(36).slice(2)}`;
  let looking = false;
  const boxes = options.map((one) => {
    const box = make("input", { type: several ? "checkbox" : "radio", name: group, value: one.name });
    const label = field.appendChild(make("label"));
    label.append(box, prose("span", {}, one.text));
    box.addEventListener("change", () => (several || looking ? draft(several ? "" : ui.say.press_enter) : give()));
    return box;
  });
  const give = () => answer(boxes.filter((box) => box.checked).map((box) => box.value));
  field.prepend(make("legend", { class: "spoken" }, several ? ui.say.choose_several : ui.say.choose_one));
  field.addEventListener("keydown", (event) => {
    looking = event.key.startsWith("Arrow");
    if (event.key !== "Enter" && (several || event.key !== " " || !event.target.checked)) return;
    event.preventDefault();
    give();
  });
  for (const end of ["keyup", "pointerdown"]) field.addEventListener(end, () => { looking = false; });
  if (several) ui.controls.append(make("p", { class: "soft", "aria-hidden": true }, ui.say.choose_several)); // as its legend
  ui.controls.append(field);
  if (several) ui.controls.append(button(ui.say.answer, give));
  return (given) => boxes.forEach((box) => { box.checked = given?.includes(box.value) ?? false; });
}

// a slider and a field, which show the same number
function setting(ui, { low, high, step, log, unit }, answer, draft) {
  const places = Math.round(log ? Math.log(high / low) / Math.log(step) : (high - low) / step);
  const at = (place) => Number((log ? low * step ** place : low + step * place).toPrecision(log ? 3 : 12));
  const placeOf = (number) => Math.round(log ? Math.log(number / low) / Math.log(step) : (number - low) / step);
  const range = make("input", { type: "range", min: 0, max: places, step: 1, "aria-label": ui.say.slider });
  const field = make("input", { type: "number", min: low, max: high, step: "any", "aria-label": ui.say.number });
  const slide = (number) => {
    range.value = placeOf(Math.min(high, Math.max(low, number)));
    range.setAttribute("aria-valuetext", `${at(Number(range.value))} ${unit}`);
  };
  const show = (number) => {
    field.value = number;
    slide(number);
  };
  const give = () => answer(field.value === "" ? NaN : Number(field.value));
  range.addEventListener("input", () => { show(at(Number(range.value))); draft(""); });
  field.addEventListener("input", () => {
    if (Number.isFinite(field.valueAsNumber)) slide(field.valueAsNumber);
    draft("");
  });
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") give(); });
  const label = make("label", { class: "number" });
  label.append(field, unit);
  ui.controls.append(range, label, button(ui.say.answer, give));
  return (given) => show(given ?? at(Math.round(places / 2)));
}

// a list whose items are moved by buttons, by the arrow keys on them, or by dragging
function ordering(ui, { name, items, others }, answer, draft) {
  const list = make("ol", { class: "order" });
  const rows = new Map(items.map((item) => [item.name, row(item)]));
  const given = () => [...list.children].map((node) => node.dataset.item);
  ui.controls.append(make("p", { class: "soft" }, ui.say.put_in_order), list, button(ui.say.answer, () => answer(given())));
  return (order) => list.replaceChildren(...(order ?? mixed(name, items, others)).map((one) => rows.get(one)));

  function row(item) {
    const node = make("li", { "data-item": item.name });
    const up = mover("↑", put(ui.say.up, { item: item.text }), -1), down = mover("↓", put(ui.say.down, { item: item.text }), 1);
    const grip = make("span", { class: "grip", "aria-hidden": true }, "⠿");
    node.append(grip, prose("span", {}, item.text), up, down);
    node.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      move(by, event.target);
    });
    grip.addEventListener("pointerdown", (event) => { event.preventDefault(); grip.setPointerCapture(event.pointerId); });
    grip.addEventListener("pointermove", (event) => {
      if (!grip.hasPointerCapture(event.pointerId)) return;
      const over = [...list.children].find((one) => event.clientY < one.getBoundingClientRect().bottom) ?? list.lastChild;
      const by = [...list.children].indexOf(over) - [...list.children].indexOf(node);
      if (by && far(over, node, event.clientY)) move(by);
    });
    return node;

    function mover(sign, label, by) {
      const press = button(sign, () => move(by, press));
      press.setAttribute("aria-label", label);
      return press;
    }
    function move(by, focused) {
      const all = [...list.children], to = Math.min(all.length - 1, Math.max(0, all.indexOf(node) + by));
      const before = all.filter((one) => one !== node)[to] ?? null;
      if (before !== node.nextSibling) {
        const kept = [...list.children].filter((one) => one !== node);
        kept.splice(to, 0, node);
        // move the others around it where it holds the pointer or the focus: whatever is taken out loses both
        const here = kept.indexOf(node);
        kept.slice(0, here).forEach((one) => list.insertBefore(one, node));
        kept.slice(here + 1).forEach((one) => list.append(one));
      }
      focused?.focus();
      draft(put(ui.say.moved, { item: item.text, number: to + 1, all: all.length }));
    }
  }
}

// whether the pointer is so far into another row that its place is meant
function far(over, node, y) {
  const box = over.getBoundingClientRect();
  return over.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING ? y < box.top + box.height / 2 : y > box.top + box.height / 2;
}

// an order to begin with: the same each time, and not a right one
function mixed(name, items, others) {
  const start = items.map((item) => item.name);
  let seed = [...name].reduce((sum, letter) => (31 * sum + letter.codePointAt(0)) % 65521, 7);
  for (let i = start.length - 1; i > 0; i--) {
    seed = (75 * seed + 74) % 65537;
    const j = seed % (i + 1);
    [start[i], start[j]] = [start[j], start[i]];
  }
  while (rightOrders(items, others).includes(start.join())) start.push(start.shift());
  return start;
}
