// What a search has found, in the page's language: any spelling of a term finds all others, the best section of each
// page is shown with the sentence that holds what was asked, and the other language is one click away. The finding is
// Sphinx's (searchtools.js); pages, terms and their spellings come from search-LANGUAGE.js. That and Sphinx' index are
// large, so they are fetched for a query only, as scripts: pages opened from files may not read files.
(() => {
  const language = document.documentElement.lang.slice(0, 2);
  let pages, terms;
  const other = language === "zh" ? "en" : "zh";
  const han = /[\u3400-\u4dbf\u4e00-\u9fff]/;
  const said = {
    en: {
      searching: "Searching",
      results: "Search results",
      found: (n) => (n === 1 ? "1 page found." : `${n} pages found.`),
      partly: (n) => `No page has all of these words; ${n === 1 ? "1 page has" : `${n} pages have`} some of them.`,
      defined: "Explained in the glossary.",
      none: "Nothing found. Try another word, or fewer of them.",
      failed: "The search can't be done: its data could not be loaded.",
      elsewhere: (n) => (n === 1 ? "1 page in Chinese" : `${n} pages in Chinese`),
      term: "Glossary",
      between: " › ",
    },
    zh: {
      searching: "正在搜索",
      results: "搜索结果",
      found: (n) => `找到${n}页。`,
      partly: (n) => `没有一页同时含有这些词；有${n}页含有其中一部分。`,
      defined: "术语表里有解释。",
      none: "没有找到。换一个词，或者少用几个词再试。",
      failed: "无法搜索：没能载入搜索用的数据。",
      elsewhere: (n) => `英文版有${n}页`,
      term: "术语表",
      between: " › ",
    },
  }[language];
  const make = (tag, text = "", attributes = {}) => Object.assign(document.createElement(tag), { textContent: text }, attributes);
  const letter = /[\p{L}\p{N}_]/u;
  const inWord = (sign) => sign !== undefined && letter.test(sign) && !han.test(sign);
  // wide letters (ＢＮ) as the usual ones, one of the two shapes of a Greek letter (ϵ, ϕ) for both
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/[-‐–_\s]+/g, " ").trim();

  // --- the query, and the same with other spellings of the terms in it

  // [where a spelling stands in a query, how long it is there]: English as whole words or their plural, Chinese anywhere
  function place(query, spelling) {
    const at = query.indexOf(spelling);
    if (at < 0 || han.test(spelling)) return [at, spelling.length];
    const length = spelling.length + (/^e?s(?![\p{L}\p{N}])/u.exec(query.slice(at + spelling.length))?.[0].length ?? 0);
    return inWord(query[at - 1]) || inWord(query[at + length]) ? [-1, 0] : [at, length];
  }
  const isWhole = (query, spelling) => place(query, spelling).join() === [0, query.length].join();
  // the term that is called so; where several are also called so, the one whose name it is
  const named = (query) => {
    const rows = terms.filter((row) => [...row.own, ...row.other].some((word) => isWhole(query, plain(word))));
    return rows.find((row) => isWhole(query, plain(row.name))) ?? rows[0] ?? null;
  };
  // formulas are found by the names of their letters, sentences by the letters
  const greek = { alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ε", lambda: "λ", mu: "μ", phi: "φ", sigma: "σ" };
  function variants(query, to) {
    const found = new Set([query, query.replace(/is(?=(e[ds]?|ing|ations?)\b)/g, "iz")]); // normalising: normalizing
    found.add(query.replace(/\b(col|neighb|behavi)or/g, "$1our").replace(/\bcenter/g, "centr")); // and the other way round
    for (const [name, sign] of Object.entries(greek)) {
      const [at, length] = place(query, name);
      if (at > -1) found.add(query.slice(0, at) + sign + query.slice(at + length));
      found.add(query.replaceAll(sign, name));
    }
    const inside = terms
      .flatMap((row) => [...row.own, ...row.other].map((word) => [plain(word), row]))
      .filter(([word]) => place(query, word)[0] > -1)
      .sort((a, b) => b[0].length - a[0].length);
    const longest = inside.filter(([word]) => word.length === inside[0][0].length);
    const called = longest.filter(([word, row]) => plain(row.name) === word); // "bias" is more than another name of β
    for (const [word, row] of called.length ? called : longest) {
      const [at, length] = place(query, word);
      for (const spelling of to === language ? row.own : row.other) {
        found.add(query.slice(0, at) + plain(spelling) + query.slice(at + length));
      }
    }
    return [...found];
  }

  // --- pages

  // a word that is in no page, by the longest word of the index that it begins with: normaliz, normalised -> normal
  function known(word) {
    if (han.test(word)) return word;
    const all = [...Object.keys(Search._index.terms), ...Object.keys(Search._index.titleterms)];
    if (all.some((term) => term.includes(word))) return word;
    const beginnings = all.filter((term) => term.length > 3 && word.startsWith(term));
    return beginnings.reduce((longest, term) => (term.length > longest.length ? term : longest), "") || word;
  }
  const byTerms = Search.performTermsSearch;
  function inTexts(word) {
    const holds = (part) => Object.keys(pages).filter((page) => pages[page].some((section) => section[part].includes(word)));
    const [headings, texts] = [holds(1), holds(2)];
    return [...new Set([...headings, ...texts])].map((page) => {
      return [page, pages[page][0][1], "", null, headings.includes(page) ? Scorer.title : Scorer.term, `${page}.html`];
    });
  }
  // a page has all of the words: word by word, for Sphinx, given several, takes a page with as many of them as are longer
  // than two letters, and of Chinese pairs none is
  Search.performTermsSearch = (words, ...more) => {
    const find = (word) => (han.test(word) ? inTexts(word) : byTerms(new Set([word]), ...more));
    const [first, ...rest] = [...new Set([...words].map(known))].map(find);
    return (first ?? []).flatMap((found) => {
      const others = rest.map((pages) => pages.find(([page]) => page === found[0]));
      if (others.includes(undefined)) return [];
      return [[...found.slice(0, 4), Math.max(found[4], ...others.map((other) => other[4])), ...found.slice(5)]];
    });
  };

  // page -> the best score that one of the spellings gives it
  function scores(spellings) {
    const best = new Map();
    for (const spelling of spellings) {
      for (const [page, , , , score] of Search._performSearch(...Search._parseQuery(spelling))) {
        best.set(page, Math.max(score, best.get(page) ?? 0));
      }
    }
    return best;
  }

  // a question in Chinese without the words that only ask, which English has as stop words
  const asking =
    /为什么|是什么|什么是|什么|为何|怎么样|怎么|怎样|如何|哪些|哪里|哪个|多少|有没有|是不是|能不能|区别|不同|一样|可以|需要|[的了吗呢吧和与有在是要会把对用从到时不？?]/g;
  const withoutAsking = (query) => plain(query.replace(asking, " "));

  // page -> how many of the words it has, where that is half of them at least
  function someWords(query) {
    const words = [...new Set(splitQuery(query))].filter((word) => !stopwords.includes(word));
    const has = new Map();
    for (const word of words) for (const page of scores([word]).keys()) has.set(page, (has.get(page) ?? 0) + 1);
    return new Map([...has].filter(([, count]) => 2 * count >= words.length));
  }
  // [the spellings asked for, page -> score, whether only some of the words are there]
  function search(query) {
    for (const one of new Set([query, withoutAsking(query) || query])) {
      const spellings = variants(one, language);
      const best = scores(spellings);
      if (best.size) return [spellings, best, false];
    }
    const rest = withoutAsking(query) || query;
    return [[rest], someWords(rest), true];
  }

  // where a word begins in a text; Chinese has no signs of that
  function beginning(text, word) {
    for (let at = text.indexOf(word); at > -1; at = text.indexOf(word, at + 1)) {
      if (han.test(word[0]) || !inWord(word[0]) || !inWord(text[at - 1])) return at;
    }
    return -1;
  }

  // the section that is most about it: {anchor, title, text, at, length, weight}; `name` is one of the library's, or ""
  function bestSection(page, spellings, name) {
    const words = spellings.flatMap((spelling) => splitQuery(spelling)).filter((word) => !stopwords.includes(word));
    const stems = words.map((word) => (han.test(word) ? word : new Stemmer().stemWord(word)));
    const runs = [...new Set(spellings.join(" ").match(/[\u3400-\u4dbf\u4e00-\u9fff]{2,}/g) ?? [])];
    let best = { anchor: "", title: "", text: pages[page][0][2], at: 0, length: 0, weight: 0 };
    pages[page].forEach(([anchor, title, text], number) => {
      const [heading, lower] = [plain(title), text.toLowerCase()];
      const phrase = spellings.map((spelling) => [beginning(lower, spelling), spelling.length]).filter(([at]) => at > -1);
      const parts = stems.map((stem) => [beginning(lower, stem), stem.length]).filter(([at]) => at > -1);
      const whole = runs.map((run) => [lower.indexOf(run), run.length]).filter(([at]) => at > -1);
      const inTitle = spellings.some((spelling) => place(heading, spelling)[0] > -1);
      const shares = parts.length / (stems.length || 1) + whole.length / (runs.length || 1);
      const named = stems.filter((stem) => beginning(heading, stem) > -1).length / (stems.length || 1);
      const weight = (name && title === name ? 9 : 0) + (inTitle ? 4 : 3 * named) + (phrase.length ? 3 : 0) + shares;
      if (weight <= best.weight) return;
      const [at, length] = phrase[0] ?? whole[0] ?? parts[0] ?? [0, 0];
      best = { anchor, title: number ? title : "", text, at, length, weight };
    });
    return best;
  }

  function summary({ text, at, length }) {
    const before = [...text.slice(0, at).matchAll(/[。？！][）”’」》]*\s*|[.?!:][)”’"]* /g)].map((end) => end.index + end[0].length);
    let start = Math.max(before.at(-1) ?? 0, at - (language === "zh" ? 60 : 120));
    let end = Math.min(Math.max(start + (language === "zh" ? 120 : 240), at + length), text.length);
    if (start > 0 && !before.includes(start)) {
      while (start < at && ((inWord(text[start - 1]) && inWord(text[start])) || /[\s\p{P}]/u.test(text[start]))) start++;
    }
    while (end > at + length && inWord(text[end - 1]) && inWord(text[end])) end--; // no half words
    const paragraph = make("p", "", { className: "context" });
    const rest = /^\p{L}*/u.exec(text.slice(at + length))[0]; // the whole word, not its stem alone
    const stop = at + length + (han.test(text[at] ?? "") ? 0 : rest.length);
    paragraph.append((start > 0 && !before.includes(start) ? "…" : "") + text.slice(start, at));
    if (length) paragraph.append(make("mark", text.slice(at, stop)));
    paragraph.append(text.slice(length ? stop : at, end).trimEnd() + (end < text.length ? "…" : ""));
    return paragraph;
  }

  // --- what is shown

  function glossaryEntry(row) {
    const item = make("li", "", { className: "search-term" });
    item.append(make("a", `${said.term}${said.between}${row.name}`, { href: `glossary.html#${row.anchor}` }));
    item.append(make("p", row.said, { className: "context" }));
    return item;
  }
  function resultOf(page, section) {
    const root = document.documentElement.dataset.content_root;
    const item = make("li");
    const title = pages[page][0][1] + (section.title ? said.between + section.title : "");
    item.append(make("a", title, { href: `${root}${page}.html${section.anchor ? `#${section.anchor}` : ""}` }));
    item.append(summary(section));
    return item;
  }

  Search.query = (asked) => {
    const query = plain(asked);
    const [spellings, best, partly] = search(query);
    const name = /\w[._]\w/.test(asked) ? asked.trim().split(".").at(-1) : "";
    const term = document.querySelector(".bd-sidebar-primary a[href$='glossary.html']") ? named(query) : null;
    const found = [...best]
      .filter(([page]) => page in pages && !(term && page.endsWith("/glossary")))
      .map(([page, score]) => ({ page, score, section: bestSection(page, spellings, name) }))
      .map((one) => ({ ...one, rank: 100 * Math.floor(one.section.weight) - (one.page.startsWith("api/") ? 350 : 0) + one.score }))
      .sort((a, b) => b.rank - a.rank || a.page.localeCompare(b.page));
    tell(found.length ? said[partly ? "partly" : "found"](found.length) : term ? said.defined : said.none);
    if (term) Search.output.append(glossaryEntry(term));
    Search.output.append(...found.map(({ page, section }) => resultOf(page, section)));
    const spelledThere = variants(query, other);
    setTimeout(() => fetchData(other, () => linkTo(spelledThere)), 300); // when the answer has been painted
  };
  function linkTo(spelledThere) {
    lookThrough(other);
    const elsewhere = scores(spelledThere).size;
    lookThrough(language);
    if (!elsewhere) return;
    const link = make("a", said.elsewhere(elsewhere), { href: `../${other}/search.html${location.search}` });
    Search.status.append(" ", link);
  }

  // --- the beginning

  function fetchData(code, then, onerror = null) {
    const src = `${document.documentElement.dataset.content_root}_static/search-${code}.js`;
    document.head.append(make("script", "", { src, onload: then, onerror }));
  }
  function lookThrough(code) {
    ({ pages, terms, index: Search._index } = window.bookSearch[code]);
  }
  function answer() {
    lookThrough(language);
    Search.setIndex(Search._index); // which asks the query that waits
  }
  const begin = () => fetchData(language, () => setTimeout(answer), () => Search.title && tell(said.failed));
  function tell(text) {
    Search.stopPulse();
    Search.title.textContent = said.results;
    Search.status.textContent = text;
  }
  const field = document.querySelector(".bd-search-container input[type=search]");
  field.value = new URLSearchParams(location.search).get("q") ?? ""; // it stays there, for the next one
  if (Search.title) {
    Search.title.firstChild.data = said.searching; // Sphinx has begun, in English
    Search.status.setAttribute("role", "status"); // there before its words, so that they are read out
  }
  if (field.value) begin();
  else field.addEventListener("input", begin, { once: true }); // they are there when the query is
})();
