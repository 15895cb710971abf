// Which items are shown. Filters look at the index only; a search opens blocks one by one and reports as it goes.
const BITS = { fixed: FIXED, broken: BROKEN, flipped: FLIPPED, "off-target": OFF_TARGET, unscored: UNSCORED };
const SIGNS = { fixed: "▲", broken: "▼", flipped: "⇄", "off-target": "↪", unscored: "?" };

/** The bits of an item: of one column, or of all of them together. */
function bitsOf(item, column) {
  const from = item * COLUMNS.length;
  if (column !== null) return INDEX.outcomes[from + column];
  let bits = 0;
  for (let i = 0; i < COLUMNS.length; i++) bits |= INDEX.outcomes[from + i];
  return bits;
}

/** Items that fit a state, and how many each outcome would give with the rest of the state. */
function filterItems(state) {
  const counts = { all: 0, fixed: 0, broken: 0, flipped: 0, "off-target": 0, unscored: 0 };
  const wanted = META.groups.map((g) => (!state.task || taskKey(g) === state.task) && (!state.language || g.language === state.language));
  const column = state.variant === "" ? null : Number(state.variant);
  const bit = BITS[state.show] || 0;
  const found = [];
  let item = 0;
  META.groups.forEach((group, number) => {
    if (!wanted[number]) { item += group.count; return; }
    for (const end = item + group.count; item < end; item++) {
      const bits = bitsOf(item, column);
      if (!(bits & ASKED)) continue;
      counts.all++;
      for (const name in BITS) if (bits & BITS[name]) counts[name]++;
      if (!bit || bits & bit) found.push(item);
    }
  });
  return { found, counts };
}

function taskKey(group) { return group.task + "@" + group.profile; }

/** All text of an item that a reader could look for. */
function searchable(content) {
  const parts = [content.p, ...(content.t || []), ...(content.o || []).flat()];
  for (const value of Object.values(content.x)) if (typeof value === "string") parts.push(value);
  for (const cell of Object.values(content.v)) for (const answer of cell.a || []) {
    parts.push(answer.text, ...answer.verdicts.map((verdict) => verdict.text));
  }
  return folded(parts.join("\n"));
}

/** Items of a list whose text holds a needle. Calls `report(found, looked)` now and then; stops when `alive()` is false. */
async function searchItems(items, needle, alive, report) {
  const found = [];
  let last = performance.now();
  for (let at = 0; at < items.length; ) {
    const number = blockOf(items[at]);
    const block = await inflate("b" + number).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
    if (!alive()) return;
    const end = number + 1 < META.starts.length ? META.starts[number + 1] : INDEX.size;
    for (; at < items.length && items[at] < end; at++) {
      if (searchable(block[items[at] - META.starts[number]]).includes(needle)) found.push(items[at]);
    }
    if (performance.now() - last > 150) {
      report(found, at);
      await new Promise((next) => setTimeout(next));
      if (!alive()) return;
      last = performance.now();
    }
  }
  report(found, items.length);
}
