// One item with all variants side by side.
function outcomeTags(bits, open) {
  const tags = [];
  if (bits & FIXED) tags.push(["fixed", "+ fixed"]);
  if (bits & BROKEN) tags.push(["broken", "− broken"]);
  if (bits & FLIPPED && !(bits & (FIXED | BROKEN))) tags.push(["plain", open ? "⇄ other language" : "⇄ other option"]);
  if (bits & OFF_TARGET) tags.push(["off-target", "↪ off target"]);
  if (bits & REPETITIVE) tags.push(["repetitive", "↻ repeats itself"]);
  if (bits & UNSCORED) tags.push(["unscored", "? unscored"]);
  return tags.map(([kind, text]) => el("span", { class: "tag " + kind }, text));
}

function itemTitle(item) {
  const group = META.groups[INDEX.group[item]];
  const language = META.languages[group.language];
  return `${group.title} · ${language ? language.name : group.language} · item ${INDEX.rows[item] + 1}`;
}

function renderItem(item, content, needle) {
  const group = META.groups[INDEX.group[item]];
  const parts = [];
  if (content.w !== undefined) parts.push(renderTwin(content.w));
  if (content.t) parts.push(...renderTurns(item, content, group, needle));
  else parts.push(renderQuestion(content, group, needle), renderOptions(item, content, group, needle));
  parts.push(renderRow(content, group));
  return parts.filter(Boolean);
}

function renderQuestion(content, group, needle) {
  const box = el("div", { class: "question" });
  if (content.p) box.append(textBlock(content.p.replace(/\n+$/, ""), group.language, needle));
  if (group.head || group.tail) box.append(whole("The whole prompt as sent", group.head + content.p + group.tail));
  return content.p ? box : null;
}

/** The same item in English, for those who do not read its language; it is fetched from its own block. */
function renderTwin(item) {
  const group = META.groups[INDEX.group[item]];
  const box = el("div", { class: "question twin" });
  openItem(item).then((content) => {
    const said = content.t || [content.p.replace(/\n+$/, "")];
    const options = (content.o || []).map((option) => (Array.isArray(option) ? option.join("") : option).trim());
    const listed = options.every((option) => option.length < 3) ? [] : options;
    box.append(el("p", { class: "small" }, "The same item in English: ", el("a", { href: "#item=" + linkOf(item) }, itemTitle(item))),
      ...said.map((text) => textBlock(text, group.language, "")),
      ...listed.map((text, place) => textBlock((content.g === place ? "✓ " : "· ") + text, group.language, "")));
  });
  return box;
}

function whole(title, text) {
  const fold = el("details", { class: "rowfacts" }, el("summary", {}, title));
  // Only when it is opened: most readers never look.
  fold.addEventListener("toggle", () => fold.append(textBlock(text, null)), { once: true });
  return fold;
}

function renderOptions(item, content, group, needle) {
  const shown = COLUMNS.map((column, number) => [number, content.v[number]]).filter(([, cell]) => cell);
  const head = el("tr", {}, el("th", { scope: "col" }, "option"), ...shown.map(([n]) => el("th", { scope: "col" }, COLUMNS[n].label)));
  const rows = (content.o || []).map((option, place) => {
    const gold = content.g === place;
    const text = Array.isArray(option) ? option.join("") : option;
    const name = el("th", { scope: "row" });
    if (gold) name.append(el("span", { class: "visually-hidden" }, "right answer: "), el("span", { "aria-hidden": "true" }, "✓ "));
    name.append(el("bdi", languageOf(group.language), textNodes(text.trim() || "(blank)", needle)));
    return el("tr", { class: gold ? "gold" : null }, name, ...shown.map(([, cell]) => {
      const value = cell.l ? cell.l[place] : null;
      const picked = cell.c === place;
      const cellNode = el("td", { class: picked ? "picked" : null });
      cellNode.append(value === null || value === undefined ? "not finite" : value.toFixed(2));
      cellNode.append(picked ? " ●" : "");
      if (picked) cellNode.append(el("span", { class: "visually-hidden" }, " picked"));
      return cellNode;
    }));
  });
  const foot = el("tr", {}, el("th", { scope: "row" }, "outcome"), ...shown.map(([n, cell]) => {
    const bits = bitsOf(item, n);
    const verdict = bits & UNSCORED ? cell.s.replaceAll("_", " ") : bits & RIGHT ? "right" : "wrong";
    return el("td", {}, verdict, " ", ...outcomeTags(bits, false));
  }));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Options and log-likelihoods" },
    el("table", { class: "options" }, el("caption", {}, "Log-likelihood of each option, in nats ", el("span", {}, "✓ right answer, ● picked")),
      el("thead", {}, head), el("tbody", {}, ...rows), el("tfoot", {}, foot)));
}

function renderTurns(item, content, group, needle) {
  const parts = [];
  content.t.forEach((said, place) => {
    const turn = place + 1;
    if (content.t.length > 1) parts.push(el("p", { class: "turn" }, `Turn ${turn}`));
    parts.push(el("div", { class: "question" }, textBlock(said, group.language, needle)));
    const cards = COLUMNS.map((column, number) => {
      const cell = content.v[number];
      const answer = cell && (cell.a || []).find((one) => one.turn === turn);
      if (!answer) return null;
      return renderAnswer(answer, column, group, needle, outcomeTags(answer.bits, true));
    });
    parts.push(el("div", { class: "answers" }, ...cards));
  });
  if (group.head || group.tail) parts.push(whole("The first prompt as sent", group.head + content.p + group.tail));
  return parts;
}

function renderAnswer(answer, column, group, needle, tags) {
  const facts = el("div", {});
  for (const label of answer.labels) {
    const off = label.cell !== group.language;
    const cell = label.cell.replaceAll("_", " ");
    const raw = label.label && label.label !== label.cell ? `, label ${label.label}` : "";
    facts.append(el("span", { class: "tag " + (off ? "off-target" : "plain"), title: `asked in ${group.language}${raw}` }, `${off ? "↪ " : ""}${label.by}: ${cell}`));
  }
  for (const verdict of answer.verdicts) {
    const rating = verdict.state === "ok" ? String(verdict.rating) : "? " + verdict.state.replaceAll("_", " ");
    facts.append(el("span", { class: "tag " + (verdict.state === "ok" ? "plain" : "unscored") }, `${verdict.by}: ${rating}`));
  }
  facts.append(...tags);
  const ends = { length: "cut", stop: "" }[answer.finish];
  const about = [answer.tokens === null || answer.tokens === undefined ? "" : `${answer.tokens} tokens`, ends === undefined ? String(answer.finish || "").replaceAll("_", " ") : ends];
  const answered = answer.labels.length && META.languages[answer.labels[0].cell] ? answer.labels[0].cell : null;
  const card = el("section", { class: "answer", "aria-label": `Answer of ${column.label}` }, el("h5", {}, column.label), facts,
    answer.text.trim() ? textBlock(answer.text, answered, needle) : el("p", { class: "small" }, `(${answer.state === "ok" ? "empty" : answer.state.replaceAll("_", " ")})`),
    el("p", { class: "small" }, about.filter(Boolean).join(", ")));
  for (const verdict of answer.verdicts) if (verdict.text) {
    const title = `What ${verdict.by} wrote${verdict.repeat ? `, repetition ${verdict.repeat + 1}` : ""}`;
    card.append(el("details", { class: "rowfacts" }, el("summary", {}, title), textBlock(verdict.text, null, needle)));
  }
  return card;
}

function renderRow(content, group) {
  const names = Object.keys(content.x);
  const list = el("dl", { class: "facts" }, ...names.map((name) => {
    const value = content.x[name];
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return el("div", {}, el("dt", {}, textNodes(name)), el("dd", { dir: "auto" }, textNodes(text.length > LONG ? text.slice(0, LONG) + "…" : text)));
  }), el("div", {}, el("dt", {}, "profile"), el("dd", {}, group.profile)), el("div", {}, el("dt", {}, "key"), el("dd", {}, el("code", {}, textNodes(content.k)))));
  return el("details", { class: "rowfacts" }, el("summary", {}, "About this row"), list);
}
