// A list that unfolds shows its trait, whoever changes that; `change` takes the place of ui.set.

// one of several values from a list that unfolds
function menu(ui, trait, label, values, { show = String, change = ui.set } = {}) {
  const select = make("select", { "data-trait": trait }), listed = [];
  const number = (value) => {
    if (!listed.includes(value)) select.append(make("option", { value: listed.push(value) - 1 }, show(value)));
    return listed.indexOf(value);
  };
  values.forEach(number);
  select.addEventListener("change", () => change({ [trait]: listed[Number(select.value)] }));
  ui.updates.push(() => { select.value = number(ui.state()[trait]); });
  const node = make("label", {}, label);
  node.append(select);
  ui.add(node);
}
