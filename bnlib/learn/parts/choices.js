// Radio buttons show their trait, whoever changes that; `change` takes the place of ui.set.

// one of the trait's values, as radio buttons with a legend
function choice(ui, trait, legend, labels, change = ui.set) {
  const group = `${trait}-${Math.random().toString(36).slice(2)}`;
  const node = make("fieldset");
  node.append(make("legend", {}, legend));
  for (const value of ui.limits[trait]) {
    const radio = make("input", { type: "radio", name: group, value, "data-trait": trait });
    radio.addEventListener("change", () => change({ [trait]: value }));
    ui.updates.push(() => { radio.checked = ui.state()[trait] === value; });
    const label = make("label");
    label.append(radio, labels[value]);
    node.append(label);
  }
  ui.add(node);
}
