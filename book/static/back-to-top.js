// The button that leads back to the top shows itself when a reader who is down the page scrolls up.
(() => {
  const button = document.querySelector(".back-to-top");
  if (!button) return;
  let before = 0;
  addEventListener("scroll", () => {
    button.hidden = !(scrollY < before && scrollY > innerHeight);
    before = scrollY;
  }, { passive: true });
  button.addEventListener("click", () => scrollTo({ top: 0 }));
})();
