// A box to tick shows its trait, whoever changes that; `change` takes the place of ui.set.

function toggle(ui, trait, label, change = ui.set) {
  const box = make("input", { type: "checkbox", "data-trait": trait });
  box.addEventListener("change", () => change({ [trait]: box.checked }));
  ui.updates.push(() => { box.checked = ui.state()[trait]; });
  const node = make("label");
  node.append(box, label);
  ui.add(node);
}
