// Save a notebook from a page that was opened from a file: browsers would show its text instead.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[download$='.ipynb']");
  if (!link || location.protocol !== "file:" || !link.href.startsWith("file:")) return;
  event.preventDefault();
  const script = document.createElement("script");
  script.src = `${link.href}.js`;
  script.addEventListener("load", () => {
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(new Blob([window.courseNotebook], { type: "application/x-ipynb+json" }));
    saved.download = link.download;
    saved.click();
    script.remove();
  });
  document.head.append(script);
});
