// The packed items: an index that is opened at once, and blocks of whole items that are opened when one of theirs is wanted.
const META = JSON.parse(document.getElementById("meta").textContent);
const COLUMNS = META.columns;
const ASKED = 1, RIGHT = 2, UNSCORED = 4, OFF_TARGET = 8, FIXED = 16, BROKEN = 32, FLIPPED = 64, REPETITIVE = 128;
const KEPT = 48;

const parsed = new Promise((done) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", done, { once: true });
  else done();
});

async function inflate(id) {
  let node = document.getElementById(id);
  if (!node || !node.nextSibling) { await parsed; node = document.getElementById(id); }
  const text = node.textContent;
  let bytes;
  if (Uint8Array.fromBase64) bytes = Uint8Array.fromBase64(text);
  else {
    const raw = atob(text);
    bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const NO_SIZE = -32768;
const INDEX = { size: 0, outcomes: null, rows: null, links: null, sizes: null, group: null };

async function openIndex() {
  const bytes = await inflate("index");
  const size = META.groups.reduce((sum, group) => sum + group.count, 0);
  const outcomes = size * COLUMNS.length;
  const view = new DataView(bytes.buffer);
  INDEX.size = size;
  INDEX.outcomes = bytes.subarray(0, outcomes);
  INDEX.rows = new Uint32Array(size);
  for (let i = 0; i < size; i++) INDEX.rows[i] = view.getUint32(outcomes + 4 * i, true);
  INDEX.links = bytes.subarray(outcomes + 4 * size, outcomes + 9 * size);
  INDEX.sizes = new Int16Array(outcomes);
  for (let i = 0; i < outcomes; i++) INDEX.sizes[i] = view.getInt16(outcomes + 9 * size + 2 * i, true);
  INDEX.group = new Uint16Array(size);
  let at = 0;
  META.groups.forEach((group, number) => { INDEX.group.fill(number, at, at + group.count); at += group.count; });
}

function linkOf(item) {
  return Array.from(INDEX.links.subarray(5 * item, 5 * item + 5), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function itemOf(link) {
  if (!/^[0-9a-f]{10}$/.test(link)) return -1;
  const wanted = link.match(/../g).map((pair) => parseInt(pair, 16));
  for (let item = 0; item < INDEX.size; item++) {
    let same = 0;
    while (same < 5 && INDEX.links[5 * item + same] === wanted[same]) same++;
    if (same === 5) return item;
  }
  return -1;
}

const opened = new Map();

function blockOf(item) {
  let low = 0, high = META.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (META.starts[middle] <= item) low = middle; else high = middle - 1;
  }
  return low;
}

/** The items of a block, from the few that are kept open or by opening it. */
function openBlock(number) {
  let block = opened.get(number);
  if (block) opened.delete(number);
  else block = inflate("b" + number).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  opened.set(number, block);
  if (opened.size > KEPT) opened.delete(opened.keys().next().value);
  return block;
}

async function openItem(item) {
  const number = blockOf(item);
  return (await openBlock(number))[item - META.starts[number]];
}
