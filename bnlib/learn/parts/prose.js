// A sentence in which backticks mark code.

function prose(tag, attributes, text) {
  const node = make(tag, attributes);
  text.split("`").forEach((part, i) => node.append(i % 2 ? make("code", {}, part) : part));
  return node;
}
