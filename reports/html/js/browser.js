// The list, its filters, the opened item, and the address that says all of it.
const PAGE = 50;
const $ = (id) => document.getElementById(id);
const EMPTY = { item: "", show: "all", task: "", language: "", variant: "", sort: "", q: "" };
const FIELDS = ["show", "task", "language", "variant", "sort", "q"];
let state = { ...EMPTY };
let list = [];
let page = 0;
let current = -1;
let turn = 0;

function readAddress() {
  const hash = location.hash.slice(1);
  const found = { ...EMPTY };
  if (hash.includes("=")) {
    const values = new URLSearchParams(hash);
    for (const key of Object.keys(EMPTY)) if (values.has(key)) found[key] = values.get(key);
  }
  if (!(found.show in BITS)) found.show = "all";
  const column = COLUMNS.findIndex((one) => one.label === found.variant);
  found.variant = column < 0 ? "" : String(column);
  if (!SORTS.includes(found.sort)) found.sort = "";
  found.task = [...several(found.task)].filter((key) => META.groups.some((group) => taskKey(group) === key)).join(",");
  found.language = [...several(found.language)].filter((code) => META.groups.some((group) => group.language === code)).join(",");
  return found;
}

function addressOf(values) {
  const shown = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== EMPTY[key]) shown.set(key, key === "variant" ? COLUMNS[Number(value)].label : value);
  }
  return "#" + (shown.size ? shown : "items");
}

function writeAddress(replace) {
  const address = addressOf(state);
  if (address === location.hash || (address === "#items" && !location.hash.includes("="))) return;
  // A file opened from disk may not be allowed to touch its history.
  try { history[replace ? "replaceState" : "pushState"](null, "", address); } catch { location.hash = address; }
}

function fillForm() {
  const form = $("filters");
  for (const [key, name] of [["task", "tasks"], ["language", "languages"]]) {
    form.elements[key].querySelector("option[data-several]")?.remove();
    const many = several(state[key]);
    if (many.size > 1) form.elements[key].append(el("option", { value: state[key], "data-several": "" }, `${many.size} ${name}`));
  }
  for (const key of FIELDS) form.elements[key].value = state[key];
}

function applyFilters() {
  const started = performance.now();
  const { found, counts } = filterItems(state);
  for (const output of document.querySelectorAll("output[data-count]")) {
    output.textContent = counts[output.dataset.count].toLocaleString("en");
  }
  const own = ++turn;
  const needle = folded(state.q.trim());
  page = 0;
  if (!needle) {
    showList(found, "");
  } else {
    showList([], "searching …");
    searchItems(found, needle, () => own === turn, (hits, looked) => {
      showList(hits.slice(), looked < found.length ? `searched ${looked.toLocaleString("en")} of ${found.length.toLocaleString("en")} …` : "");
    });
  }
  document.documentElement.dataset.filterMs = (performance.now() - started).toFixed(1);
}

function showList(items, note) {
  list = items;
  const label = items.length === 1 ? "1 item" : `${items.length.toLocaleString("en")} items`;
  $("found").textContent = note ? `${label}; ${note}` : label;
  $("found").dataset.busy = note ? "yes" : "no";
  renderPage();
}

function renderPage() {
  const pages = Math.max(1, Math.ceil(list.length / PAGE));
  page = Math.min(page, pages - 1);
  const shown = list.slice(page * PAGE, (page + 1) * PAGE);
  const buttons = shown.map((item) => {
    const group = META.groups[INDEX.group[item]];
    const bits = bitsOf(item, state.variant === "" ? null : Number(state.variant));
    const marks = el("span", { class: "marks" }, ...Object.keys(BITS).filter((name) => bits & BITS[name])
      .map((name) => el("span", { class: "m-" + name }, el("span", { "aria-hidden": "true" }, SIGNS[name]), el("span", { class: "visually-hidden" }, " " + name.replace("-", " ")))));
    if (state.sort) marks.prepend(sizeText(item));
    return el("li", {}, el("button", { type: "button", "data-item": item, "aria-current": item === current ? "true" : null },
      el("span", { class: "where" }, el("span", {}, `${group.title} · ${group.language} · ${INDEX.rows[item] + 1}`), marks),
      el("span", { class: "excerpt", ...languageOf(group.language) })));
  });
  $("list").replaceChildren(...buttons);
  $("page-of").textContent = list.length ? `${page + 1} of ${pages}` : "none";
  $("prev-page").disabled = page === 0;
  $("next-page").disabled = page >= pages - 1;
  const own = turn, place = page;
  (async () => {
    for (const [index, item] of shown.entries()) {
      const content = await openItem(item);
      if (own !== turn || place !== page) return;
      buttons[index].querySelector(".excerpt").append(textNodes(excerptOf(content)));
    }
  })();
}

/** The number that the list is sorted by, of the chosen variant. */
function sizeText(item) {
  const what = state.sort.split("-")[0];
  if (state.variant === "" || META.groups[INDEX.group[item]].open !== (what === "rating")) return "";
  const size = sizeOf(item, Number(state.variant), what);
  return size === null ? "" : `${size > 0 ? "+" : ""}${size.toFixed(2)} `;
}

function excerptOf(content) {
  const first = content.t ? content.t[0] : content.p.slice(content.b || 0) || content.p || [content.o[0]].flat().join("");
  return first.trim().slice(0, 160).replace(/\s+/g, " ").replace(/[\ud800-\udbff]$/, "");
}

async function showItem(item, focus) {
  current = item;
  for (const button of $("list").querySelectorAll("button")) {
    if (Number(button.dataset.item) === item) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  }
  const content = await openItem(item);
  if (current !== item) return;
  const at = list.indexOf(item);
  const step = (text, by) => el("button", { type: "button", disabled: at < 0 || at + by < 0 || at + by >= list.length, onclick: () => move(by) }, text);
  const tools = el("div", { class: "tools" }, step("‹ Before", -1), step("Next ›", 1), el("a", { href: "#item=" + linkOf(item) }, "Link"));
  $("detail").replaceChildren(el("div", { class: "item-head" }, el("h3", {}, itemTitle(item)), tools), ...renderItem(item, content, folded(state.q.trim())));
  $("detail").dataset.item = linkOf(item);
  if (focus) { $("detail").focus({ preventScroll: true }); bringIntoView(); }
}

function bringIntoView() {
  const top = $("detail").getBoundingClientRect().top;
  if (top < 50 || top > innerHeight * 0.6) $("detail").scrollIntoView({ block: "start", behavior: "instant" });
}

function openLink(item, focus) {
  state.item = linkOf(item);
  writeAddress(false);
  return showItem(item, focus);
}

function move(by) {
  const at = list.indexOf(current);
  const next = at < 0 ? 0 : at + by;
  if (next < 0 || next >= list.length) return;
  const wanted = Math.floor(next / PAGE);
  if (wanted !== page) { page = wanted; renderPage(); }
  openLink(list[next], false);
}

function followAddress() {
  state = readAddress();
  fillForm();
  applyFilters();
  if (!state.item) {
    if (location.hash.includes("=")) showItems();
    return;
  }
  const item = itemOf(state.item);
  if (item >= 0) { showItem(item, false).then(bringIntoView); return; }
  current = -1;
  $("detail").replaceChildren(el("p", { class: "empty" }, "No item of this report has the link ", el("code", {}, textNodes(state.item)), ". It may be of another run."));
  bringIntoView();
}

/** A filter that came with an address: its items are what was asked for. */
function showItems() { $("items").scrollIntoView({ block: "start", behavior: "instant" }); }

function listenToForm() {
  const form = $("filters");
  let waiting;
  const change = (replace) => {
    for (const key of FIELDS) state[key] = form.elements[key].value;
    writeAddress(replace);
    applyFilters();
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); change(true); });
  form.addEventListener("reset", (event) => { event.preventDefault(); state = { ...EMPTY, item: state.item }; fillForm(); change(false); });
  form.addEventListener("focusin", warmTexts, { once: true });
  form.addEventListener("change", (event) => { if (event.target.name !== "q") change(false); });
  form.addEventListener("input", (event) => {
    if (event.target.name !== "q") return;
    clearTimeout(waiting);
    waiting = setTimeout(() => change(true), 180);
  });
}

function listenToList() {
  $("list").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-item]");
    if (button) openLink(Number(button.dataset.item), true);
  });
  $("list").addEventListener("keydown", (event) => {
    const buttons = [...$("list").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].focus();
  });
  const turnPage = (by) => { page += by; renderPage(); $("list").scrollTop = 0; };
  $("prev-page").addEventListener("click", () => turnPage(-1));
  $("next-page").addEventListener("click", () => turnPage(1));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") { event.preventDefault(); $("f-q").focus(); }
  });
}
