// What to say to an answer, as `judge` and `sentences` in question.py do: {passed, sentences}.

function judge(question, answer, say) {
  const found = { choice: judgeChoice, number: judgeNumber, order: judgeOrder }[question.kind](question, answer, say);
  return { passed: found.passed ?? false, sentences: found.said };
}

function judgeChoice({ options }, chosen, say) {
  const wrong = options.filter((one) => chosen.includes(one.name) && !one.right);
  const right = options.filter((one) => one.right);
  const missing = right.filter((one) => !chosen.includes(one.name));
  if (!chosen.length) return { said: [say.no_option] };
  if (wrong.length) return { said: wrong.map((one) => one.why) };
  if (missing.length) return { said: [put(say.incomplete, { missing: missing.length })] };
  return { passed: true, said: right.map((one) => one.why) };
}

function judgeNumber({ value, within, low, high, mistakes, solution }, number, say) {
  if (!(number >= low && number <= high)) return { said: [put(say.out_of_range, { low, high })] };
  if (Math.abs(number - value) <= within) return { passed: true, said: [solution] };
  const known = mistakes.find((one) => Math.abs(number - one.value) <= one.within);
  return { said: [known ? known.sentence : number < value ? say.too_low : say.too_high] };
}

function judgeOrder({ items, others, pairs, solution }, given, say) {
  if (rightOrders(items, others).includes(given.join())) return { passed: true, said: [solution] };
  const known = pairs.find((pair) => given.indexOf(pair.then) < given.indexOf(pair.first));
  if (known) return { said: [known.sentence] };
  const place = items.findIndex((item, i) => item.name !== given[i]);
  return { said: [put(say.wrong_order, { number: place + 1, item: items.find((item) => item.name === given[place]).text })] };
}

const rightOrders = (items, others) => [items.map((item) => item.name), ...others].map((order) => order.join());

// whether something given, kept, or set by a kernel is an answer to this question
function isAnswer(question, answer) {
  if (question.kind === "number") return Number.isFinite(answer) && answer >= question.low && answer <= question.high;
  const names = (question.options ?? question.items).map((one) => one.name);
  if (!Array.isArray(answer) || !answer.length || new Set(answer).size !== answer.length) return false;
  return answer.every((name) => names.includes(name)) && (question.kind === "choice" || answer.length === names.length);
}
