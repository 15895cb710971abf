// Which items are shown, and in which order. Filters and sorting look at the index only.
const BITS = { fixed: FIXED, broken: BROKEN, flipped: FLIPPED, "off-target": OFF_TARGET, repetitive: REPETITIVE, unscored: UNSCORED };
const SIGNS = { fixed: "+", broken: "−", flipped: "⇄", "off-target": "↪", repetitive: "↻", unscored: "?" };

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
  const counts = { all: 0, fixed: 0, broken: 0, flipped: 0, "off-target": 0, repetitive: 0, unscored: 0 };
  const tasks = several(state.task), languages = several(state.language);
  const wanted = META.groups.map((g) => (!tasks.size || tasks.has(taskKey(g))) && (!languages.size || languages.has(g.language)));
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
  return { found: sorted(found, state.sort, column), counts };
}

/** A filter may name several tasks or languages, with commas between them: those behind a mean. */
function several(value) { return new Set(value ? value.split(",") : []); }

const SORTS = ["margin-low", "margin-high", "rating-low", "rating-high"];

/** Items by margin, or by rating less that of base; those that have none come last, in the order of the rows. */
function sorted(items, sort, column) {
  if (!sort) return items;
  const [what, end] = sort.split("-");
  const columns = column === null ? COLUMNS.map((_, number) => number) : [column];
  const sizes = new Map();
  for (const item of items) {
    if (META.groups[INDEX.group[item]].open !== (what === "rating")) continue;
    for (const number of columns) {
      const size = sizeOf(item, number, what);
      const before = sizes.get(item);
      if (size !== null && (before === undefined || (end === "low" ? size < before : size > before))) sizes.set(item, size);
    }
  }
  const known = items.filter((item) => sizes.has(item));
  known.sort((one, other) => (end === "low" ? sizes.get(one) - sizes.get(other) : sizes.get(other) - sizes.get(one)) || one - other);
  return [...known, ...items.filter((item) => !sizes.has(item))];
}

/** Nats of the margin, or points of the rating less base; null where there is none. */
function sizeOf(item, column, what) {
  const from = item * COLUMNS.length;
  const own = INDEX.sizes[from + column];
  if (own === NO_SIZE) return null;
  if (what === "margin") return own / 100;
  const base = COLUMNS[column].base;
  if (base === null || INDEX.sizes[from + base] === NO_SIZE) return null;
  return (own - INDEX.sizes[from + base]) / 100;
}

function taskKey(group) { return group.task + "@" + group.profile; }
