// Bring the widgets stored in a page to life without a kernel: a model with the few methods the modules use. Each is drawn
// when it comes near the window, or a key is pressed (Tab must find its controls); until then its still picture stands.
// A page's address may carry a setting, ?NAME={"trait": value}#widget-NAME: the button under a widget copies such a link.
// Of one kind several may stand on a page: each has a key, which then takes the place of the name.
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

  // what the address asks for, as far as the widget allows it
  function asked(key, stored) {
    const text = new URLSearchParams(location.search).get(key);
    if (text === null) return {};
    let wanted;
    try {
      wanted = JSON.parse(text);
    } catch (error) {
      console.warn(`The setting in this page's address can't be read: ${error.message}`);
      return {};
    }
    return Object.fromEntries(
      Object.entries(wanted || {}).filter(([trait, value]) => trait in stored.limits && fits(value, stored.limits[trait])),
    );
  }

  // whether a value lies within what the widget says of this part of its state: the values it may have, or bounds
  function fits(value, limit) {
    if (Array.isArray(limit)) return limit.includes(value);
    const inside = (number) => Number.isFinite(number) && number >= limit.min && number <= limit.max;
    if (!("least" in limit)) return inside(value) && (!limit.whole || Number.isInteger(value));
    return Array.isArray(value) && value.length >= limit.least && value.length <= limit.most && value.every(inside);
  }

  function linkButton({ id, key }, stored, model) {
    const button = document.createElement("button");
    const { copy_link: label, copied, linked } = model.get("strings");
    button.type = "button";
    button.setAttribute("aria-live", "polite");
    button.className = "bnlib-widget-link";
    button.textContent = label;
    button.addEventListener("click", async () => {
      const changed = Object.keys(stored.limits).filter((trait) => JSON.stringify(stored[trait]) !== JSON.stringify(model.get(trait)));
      const address = new URL(location.href);
      address.searchParams.set(key, JSON.stringify(Object.fromEntries(changed.map((trait) => [trait, model.get(trait)]))));
      address.hash = id;
      history.replaceState(null, "", address);
      // a page from a plain server may not write to the clipboard, nor may one whose reader has refused
      const written = await navigator.clipboard?.writeText(address.href).then(() => true, () => false);
      button.textContent = written ? copied : linked;
    });
    for (const trait of Object.keys(stored.limits)) model.on(`change:${trait}`, () => { button.textContent = label; });
    return button;
  }

  function bring(place) {
    const { widget: name, key = name } = place.dataset;
    const still = [...place.childNodes];
    try {
      const stored = JSON.parse(place.dataset.state);
      const settable = "limits" in stored; // a card has no setting that an address could carry
      const model = new Model({ ...structuredClone(stored), ...(settable ? asked(key, stored) : {}) });
      place.replaceChildren();
      window.bnlibWidgets[name].render({ model, el: place });
      if (settable) place.append(linkButton({ id: place.id, key }, stored, model));
    } catch (error) {
      place.replaceChildren(...still); // the picture stays, and so do the other widgets
      reportError(error);
    }
  }

  const waiting = new Set(document.querySelectorAll(".bnlib-widget[data-widget]"));
  const near = new IntersectionObserver((seen) => begin(seen.filter((one) => one.isIntersecting).map((one) => one.target)), {
    rootMargin: "400px",
  });
  const all = () => begin([...waiting]);
  waiting.forEach((place) => near.observe(place));
  window.addEventListener("keydown", all, { capture: true });

  function begin(places) {
    for (const place of places.filter((one) => waiting.delete(one))) {
      near.unobserve(place);
      bring(place);
    }
    if (!waiting.size) window.removeEventListener("keydown", all, { capture: true });
  }
})();
