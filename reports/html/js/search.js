// Search. The text of every block is opened, folded and kept once, from when the items come into view; a search then looks
// through strings only.
const TEXTS = [];
const SEPARATOR = "\u0001";

/** All text of an item that a reader could look for. */
function searchable(content) {
  const parts = [content.p, ...(content.t || []), ...(content.o || []).flat()];
  for (const value of Object.values(content.x)) if (typeof value === "string") parts.push(value);
  for (const cell of Object.values(content.v)) for (const answer of cell.a || []) {
    parts.push(answer.text, ...answer.verdicts.map((verdict) => verdict.text));
  }
  return folded(parts.join("\n"));
}

/** The folded text of a block, and where in it each item ends. */
async function textOf(number) {
  if (TEXTS[number]) return TEXTS[number];
  const items = await inflate("b" + number).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  const ends = new Uint32Array(items.length);
  const parts = [];
  let end = 0;
  items.forEach((content, place) => {
    parts.push(searchable(content));
    end += parts[place].length + SEPARATOR.length;
    ends[place] = end;
  });
  TEXTS[number] = { text: parts.join(SEPARATOR) + SEPARATOR, ends };
  return TEXTS[number];
}

let warming = null;

/** Open the text of all blocks, a little at a time, so that the page stays quick. */
function warmTexts() {
  warming ||= (async () => {
    for (let number = 0; number < META.starts.length; number++) {
      await textOf(number);
      await new Promise((next) => setTimeout(next));
    }
    document.documentElement.dataset.texts = "yes";
  })();
}

/** Marks the items of a block whose text holds a needle. */
function searchBlock({ text, ends }, needle, first, hits) {
  let place = 0;
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, ends[place - 1])) {
    let high = ends.length - 1;
    while (place < high) {
      const middle = (place + high) >> 1;
      if (ends[middle] > at) high = middle; else place = middle + 1;
    }
    hits[first + place] = 1;
    place++;
    if (place >= ends.length) return;
  }
}

/** Items of a list whose text holds a needle, in the order of the list. Calls `report(found, looked)` now and then; stops when
 * `alive()` is false. */
async function searchItems(items, needle, alive, report) {
  const hits = new Uint8Array(INDEX.size);
  const wanted = new Uint8Array(META.starts.length);
  for (const item of items) wanted[blockOf(item)] = 1;
  const numbers = META.starts.map((_, number) => number).filter((number) => wanted[number]);
  const found = () => items.filter((item) => hits[item]);
  let last = performance.now();
  for (const [done, number] of numbers.entries()) {
    searchBlock(TEXTS[number] || await textOf(number), needle, META.starts[number], hits);
    if (performance.now() - last > 150) {
      if (!alive()) return;
      report(found(), Math.round(items.length * done / numbers.length));
      await new Promise((next) => setTimeout(next));
      if (!alive()) return;
      last = performance.now();
    }
  }
  if (alive()) report(found(), items.length);
}
