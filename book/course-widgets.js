// Bring the widgets stored in a page to life without a kernel: a model with the few methods the modules use.
// A page's address may carry a setting, ?NAME={"trait": value}: the button under a widget copies such a link.
(() => {
  class Model {
    constructor(state) {
      this.state = state;
      this.listeners = {};
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
      this.state[name] = value;
      for (const listener of this.listeners[`change:${name}`] || []) listener();
    }
    save_changes() {}
    on(event, listener) {
      (this.listeners[event] = this.listeners[event] || []).push(listener);
    }
    off(event, listener) {
      this.listeners[event] = (this.listeners[event] || []).filter((other) => other !== listener);
    }
  }

  // what the address asks for, where it has the form of the stored state
  function asked(name, stored) {
    const text = new URLSearchParams(location.search).get(name);
    if (text === null) return {};
    let wanted;
    try {
      wanted = JSON.parse(text);
    } catch (error) {
      console.warn(`The setting in this page's address can't be read: ${error.message}`);
      return {};
    }
    const kind = (value) => (Array.isArray(value) ? "list" : typeof value);
    const numbers = (value) => kind(value) !== "list" || (value.length > 0 && value.length <= 12 && value.every(Number.isFinite));
    return Object.fromEntries(
      Object.entries(wanted || {}).filter(
        ([key, value]) => !["strings", "lang"].includes(key) && key in stored && kind(value) === kind(stored[key]) && numbers(value),
      ),
    );
  }

  function linkButton(name, stored, model) {
    const button = document.createElement("button");
    const { copy_link: label, copied } = model.get("strings");
    button.type = "button";
    button.className = "bnlib-widget-link";
    button.textContent = label;
    button.addEventListener("click", async () => {
      const changed = Object.entries(stored).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(model.get(key)));
      const address = new URL(location.href);
      address.searchParams.set(name, JSON.stringify(Object.fromEntries(changed.map(([key]) => [key, model.get(key)]))));
      history.replaceState(null, "", address);
      button.textContent = copied;
      if (navigator.clipboard) await navigator.clipboard.writeText(address.href).catch(() => {}); // the address bar has it too
    });
    return button;
  }

  for (const place of document.querySelectorAll(".bnlib-widget[data-widget]")) {
    const name = place.dataset.widget;
    const stored = JSON.parse(place.dataset.state);
    const model = new Model({ ...structuredClone(stored), ...asked(name, stored) });
    place.replaceChildren();
    window.bnlibWidgets[name].render({ model, el: place });
    place.append(linkButton(name, stored, model));
  }
})();
