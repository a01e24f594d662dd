// What search engines are told about the other language has to be a whole address, and only the browser knows where the
// book stands.
for (const link of document.querySelectorAll("link[rel=alternate][hreflang]")) link.href = link.href;
