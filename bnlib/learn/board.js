// The board: which exercises have passed, after how many tries and with how many hints; to take along, or to forget.
// Stands on frame, memory.

const OWN_STYLE = `
.bnlib-board table { border-collapse: collapse; width: 100%; margin: 8px 0; }
.bnlib-board :is(th, td) { border-bottom: 1px solid var(--line); padding: 4px 6px; text-align: left; font-weight: 400; color: var(--ink); background: var(--ground); }
.bnlib-board thead th { font-weight: 600; } .bnlib-board :is(td, thead th) { white-space: nowrap; } .bnlib-board caption { caption-side: top; padding: 0; text-align: left; color: var(--ink); font-weight: 600; }
.bnlib-board .yes { color: var(--third); } .bnlib-board .controls[hidden] { display: none; }
`;

export default {
  render({ model, el }) {
    const [say, exercises, live] = [model.get("strings"), model.get("exercises"), model.get("live")];
    const root = make("div", { class: "bnlib-frame bnlib-board", role: "group", lang: model.get("lang") === "zh" ? "zh-CN" : "en", "aria-label": say.title });
    const sum = make("caption"), rows = make("tbody"), spoken = make("p", { role: "status" });
    const kept = () => (live ? model.get("standing") : recall());

    const table = make("table"), head = make("thead"), top = make("tr");
    top.append(...[say.exercise, say.passed, say.tries, say.hints].map((text) => make("th", { scope: "col" }, text)));
    head.append(top);
    table.append(sum, head, rows);
    const controls = make("div", { class: "controls" }), sure = make("div", { class: "controls", role: "group", "aria-label": say.sure });
    const forget = button(say.forget, () => ask(true));
    const no = button(say.no, () => ask(false));
    controls.append(button(say.export, save), forget);
    sure.append(make("span", {}, say.sure), button(say.yes, () => { ask(false); clear(); }), no);
    sure.hidden = true;
    root.append(make("style", {}, STYLE + OWN_STYLE), table, controls, sure, spoken);
    root.append(...[...(live ? [] : [say.by_notebook]), say.private].map((text) => make("p", { class: "tick" }, text)));
    paint();
    model.on("change:standing", paint);
    const unfollow = live ? () => {} : followMemory(paint);
    el.append(root);
    return () => {
      unfollow();
      model.off("change:standing", paint);
      root.remove();
    };

    function ask(open) {
      [sure.hidden, controls.hidden] = [!open, open];
      (open ? no : forget).focus();
    }
    function clear() {
      if (live) model.send({ forget: true });
      else remember({});
      spoken.textContent = say.forgotten;
    }
    function save() {
      const file = new Blob([JSON.stringify(kept(), null, 1)], { type: "application/json" });
      const link = make("a", { href: URL.createObjectURL(file), download: "bnlib-progress.json" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      spoken.textContent = say.saved;
    }
    function paint() {
      const all = kept();
      const done = exercises.filter(([name]) => all[name]?.passed === true);
      sum.textContent = put(say.sum, { passed: done.length, all: exercises.length });
      rows.replaceChildren(...exercises.map(([name, title]) => {
        const { passed, tries, hints, solution } = all[name] ?? {}, row = make("tr");
        const opened = solution === true ? say.with_solution : String(count(hints));
        const heading = make("th", { scope: "row" }), known = document.getElementById(`exercise-${name}`);
        heading.append(known ? make("a", { href: `#exercise-${name}` }, title) : title); // the built page has such cards
        row.append(heading, make("td", passed === true ? { class: "yes" } : {}, passed === true ? `✓ ${say.yes_passed}` : say.not_yet));
        row.append(make("td", {}, String(count(tries))), make("td", {}, opened));
        return row;
      }));
    }
  },
};

const count = (value) => (Number.isInteger(value) && value > 0 ? value : 0);
