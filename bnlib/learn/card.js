// The card of an exercise: its task, controls to answer a question, three hints and the solution, one after the other.
// Stands on frame, prose, memory, judging, answering.

const OWN_STYLE = `
.bnlib-card .title { font-weight: 600; display: flex; flex-wrap: wrap; gap: 0 12px; justify-content: space-between; }
.bnlib-card .done { color: var(--third); }
.bnlib-card :is(.program, code) { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; background: var(--wash); color: var(--ink);
  border: 0; border-radius: 4px; padding: 1px 4px; overflow-wrap: anywhere; }
.bnlib-card .program { margin: 8px 0; padding: 8px 12px; white-space: pre; overflow: auto; overflow-wrap: normal; border-radius: 6px; }
.bnlib-card .answering { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; margin: 8px 0; }
.bnlib-card .soft { color: var(--soft); flex-basis: 100%; }
.bnlib-card .options { flex-direction: column; gap: 2px; width: 100%; } .bnlib-card .options label { align-items: first baseline; }
.bnlib-card .options input { flex: none; translate: 0 2px; }
.bnlib-card .answering input[type=range] { width: 220px; max-width: 100%; }
.bnlib-card input[type=number] { width: 110px; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--soft);
  border-radius: 6px; padding: 2px 8px; min-height: 28px; box-sizing: border-box; }
.bnlib-card .order { margin: 0; padding: 0; list-style: none; width: 100%; counter-reset: place; }
.bnlib-card .order li { counter-increment: place; display: flex; gap: 8px; align-items: center; border: 1px solid var(--line); border-radius: 6px;
  padding: 3px 8px; margin: 4px 0; }
.bnlib-card .order li::before { content: counter(place) "."; color: var(--soft); } .bnlib-card .order li span:not(.grip) { flex: 1; }
.bnlib-card .grip { cursor: grab; touch-action: none; color: var(--soft); padding: 4px; }
.bnlib-card .feedback { min-height: 1.5em; margin: 8px 0; padding-left: 10px; border-left: 4px solid transparent; }
.bnlib-card .feedback.right { border-color: var(--third); } .bnlib-card .feedback.wrong { border-color: var(--warm); }
.bnlib-card .feedback p { margin: 0; } .bnlib-card .steps { display: flex; flex-wrap: wrap; gap: 6px 8px; margin-top: 8px; }
.bnlib-card .steps [disabled] { opacity: 0.5; cursor: default; } .bnlib-card [aria-expanded=true] { background: var(--wash); border-color: var(--blue); }
.bnlib-card .step { border-top: 1px solid var(--line); margin-top: 8px; padding-top: 6px; }
`;
const FRESH = { passed: false, tries: 0, hints: 0, solution: false, answer: null };

export default {
  render({ model, el }) {
    const [say, exercise, live] = [model.get("strings"), model.get("exercise"), model.get("live")];
    const root = make("div", { class: "bnlib-frame bnlib-card", role: "group", lang: model.get("lang") === "zh" ? "zh-CN" : "en" });
    const done = make("span", { class: "done" }), feedback = make("div", { class: "feedback", role: "status" });
    const ui = { say, controls: make("div", { class: "answering" }) };
    const state = () => Object.fromEntries(Object.keys(FRESH).map((name) => [name, model.get(name) ?? FRESH[name]]));

    const title = make("p", { class: "title", role: "heading", "aria-level": below(el) });
    title.append(prose("span", {}, exercise.title), done);
    root.setAttribute("aria-label", `${say.exercise}${exercise.title}`);
    root.append(make("style", {}, STYLE + OWN_STYLE), title, prose("p", {}, exercise.task));
    if (exercise.start) root.append(program(exercise.title, exercise.start));
    const kinds = { choice: choosing, number: setting, order: ordering };
    const show = kinds[exercise.kind]?.(ui, exercise, answer, (text) => tell(text ? [text] : [])) ?? null;
    if (show) root.append(ui.controls, feedback);
    else root.append(prose("p", {}, exercise.how), ...named(exercise.choices ?? []));
    const steps = unfolding();

    let shown;
    if (!live) read();
    paint();
    for (const name of Object.keys(FRESH)) model.on(`change:${name}`, paint);
    const unfollow = live ? () => {} : followMemory(read);
    el.append(root);
    return () => {
      unfollow();
      for (const name of Object.keys(FRESH)) model.off(`change:${name}`, paint);
      root.remove();
    };

    function read() {
      const kept = recall()[exercise.name] ?? {};
      for (const [name, fresh] of Object.entries(FRESH)) {
        model.set(name, fits(name, kept[name]) ? kept[name] : fresh);
      }
    }
    function keep(values) {
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      model.save_changes();
      if (live) return;
      const all = recall();
      remember({ ...all, [exercise.name]: { ...all[exercise.name], ...state() } });
    }
    function answer(given) {
      const { passed, tries } = state();
      if (!isAnswer(exercise, given)) return tell(judge(exercise, given, say).sentences);
      shown = undefined; // the same answer once more is told once more
      return keep({ answer: given, tries: tries + 1, passed: passed || judge(exercise, given, say).passed });
    }
    function tell(sentences, kind = "", head = "") {
      feedback.className = `feedback ${kind}`;
      const texts = sentences.map((sentence) => prose("p", {}, sentence));
      if (head) texts[0].prepend(make("strong", {}, head));
      feedback.replaceChildren(...texts);
    }
    function paint() {
      const { passed, answer: given } = state();
      done.textContent = passed ? `✓ ${say.passed}` : "";
      steps();
      const now = JSON.stringify(given);
      if (!show || now === shown) return;
      shown = now;
      const known = isAnswer(exercise, given);
      show(known ? given : null);
      if (!known) return tell([]);
      const verdict = judge(exercise, given, say);
      return tell(verdict.sentences, verdict.passed ? "right" : "wrong", verdict.passed ? `✓ ${say.right}` : `✗ ${say.wrong}`);
    }

    // a row of buttons, each of which opens once the one before has been opened; returns what shows the state of that
    function unfolding() {
      const id = `bnlib-${Math.random().toString(36).slice(2)}`;
      const row = make("div", { class: "steps", role: "group", "aria-label": say.help });
      const parts = exercise.hints.map((hint, i) => [put(say.hint, { number: i + 1 }), [prose("p", {}, hint)], { hints: i + 1 }]);
      const solution = [prose("p", {}, exercise.solution ?? "")];
      if (exercise.code) solution.push(program(say.solution, exercise.code));
      if (exercise.solution) parts.push([say.solution, solution, { solution: true }]);
      const buttons = parts.map(([label, inside, opened], i) => {
        const box = make("div", { class: "step", id: `${id}-${i}`, hidden: "" });
        box.append(make("strong", {}, label), ...inside);
        const press = button(label, () => {
          box.hidden = !box.hidden;
          press.setAttribute("aria-expanded", !box.hidden);
          if (!box.hidden && (opened.solution ? !state().solution : opened.hints > state().hints)) keep(opened);
        });
        fill(press, { "aria-expanded": false, "aria-controls": box.id });
        return [press, box, label];
      });
      row.append(...buttons.map(([press]) => press));
      root.append(row, ...buttons.map(([, box]) => box));
      return () => {
        const { hints, solution: opened, passed } = state();
        buttons.forEach(([press, box, label], i) => {
          const seen = i < exercise.hints.length ? i < hints : opened;
          if (!seen && !box.hidden) { // all was forgotten
            box.hidden = true;
            press.setAttribute("aria-expanded", false);
          }
          press.disabled = !seen && i > hints && !passed;
          press.textContent = seen ? `${label} ✓` : label;
        });
      };
    }
  },
};

// lines of code, which a reader scrolls by mouse or keys; no <pre>, of which the book's theme decides when Tab stops there
const program = (label, text) => make("div", { class: "program", role: "group", tabindex: 0, "aria-label": label }, text);

// what a graded task gives to choose from, or to put in order: the names that an answer takes, and what they stand for
function named(choices) {
  if (!choices.length) return [];
  const list = make("ul");
  list.append(...choices.map(({ name, text }) => prose("li", {}, `\`${name}\` ${text}`)));
  return [list];
}

// the level of a heading in this place: one below that of the section around it, in a notebook the third
function below(el) {
  const heading = el.closest("section")?.querySelector("h1, h2, h3, h4, h5");
  return heading ? Number(heading.tagName[1]) + 1 : 3;
}

// whether a value that was kept is of the kind that it should be
function fits(name, value) {
  if (name === "answer") return value !== undefined; // see isAnswer
  if (typeof FRESH[name] === "boolean") return typeof value === "boolean";
  return Number.isInteger(value) && value >= 0 && (name !== "hints" || value <= 3);
}
