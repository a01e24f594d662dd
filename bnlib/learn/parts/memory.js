// What a reader has done in this course's pages: kept in the browser under one key, {exercise: {passed, tries, ...}}.
// Where the browser keeps nothing (a private window, a full or forbidden store), all lasts as long as the page does.

const KEPT = "bnlib.progress"; // also the name of the event that tells the others on the page

const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function recall() {
  if (window[KEPT]) return window[KEPT];
  let found = null;
  try {
    found = JSON.parse(localStorage.getItem(KEPT));
  } catch (error) {
    console.info(`What was kept in this browser can't be read: ${error.message}`);
  }
  return isTable(found) ? Object.fromEntries(Object.entries(found).filter(([, entry]) => isTable(entry))) : {};
}

function remember(all) {
  window[KEPT] = all;
  try {
    localStorage.setItem(KEPT, JSON.stringify(all));
    delete window[KEPT];
  } catch (error) {
    console.info(`Nothing can be kept in this browser: ${error.message}`);
  }
  window.dispatchEvent(new Event(KEPT));
}

// call something when what is kept has changed, here or in another tab; returns what ends that
function followMemory(changed) {
  const elsewhere = (event) => { if ([KEPT, null].includes(event.key)) changed(); };
  window.addEventListener(KEPT, changed);
  window.addEventListener("storage", elsewhere);
  return () => {
    window.removeEventListener(KEPT, changed);
    window.removeEventListener("storage", elsewhere);
  };
}
