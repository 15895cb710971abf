// Text of models and data goes into the page as text nodes only. What would hide or turn text is shown by its code point.
const ODD = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u2028\u2029\x00-\x08\x0b-\x1f\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const LONG = 20000;

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "onclick") node.addEventListener("click", value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function codePoint(character) {
  const mark = el("span", { class: "odd" });
  mark.textContent = "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return mark;
}

/** A fragment for a string, with odd characters marked and a search term highlighted. */
function textNodes(string, needle) {
  const fragment = document.createDocumentFragment();
  const plain = (part) => {
    const found = needle ? findAll(part, needle) : [];
    let end = 0;
    for (const [start, stop] of found) {
      fragment.append(part.slice(end, start), el("mark", {}, part.slice(start, stop)));
      end = stop;
    }
    fragment.append(part.slice(end));
  };
  let end = 0;
  for (const match of string.matchAll(ODD)) {
    plain(string.slice(end, match.index));
    fragment.append(codePoint(match[0]));
    end = match.index + match[0].length;
  }
  plain(string.slice(end));
  return fragment;
}

/** A block of foreign text in its language; of very long text the beginning, and the rest when asked for. */
function textBlock(string, language, needle) {
  const block = el("div", { class: "text", ...languageOf(language) });
  if (string.length <= LONG) {
    block.append(textNodes(string, needle));
    return block;
  }
  block.append(textNodes(string.slice(0, LONG).replace(/[\ud800-\udbff]$/, ""), needle));
  const more = el("button", { type: "button", class: "more" }, `Show all ${string.length.toLocaleString("en")} characters`);
  more.addEventListener("click", () => { block.replaceChildren(textNodes(string, needle)); more.remove(); });
  return el("div", {}, block, more);
}

function languageOf(code) {
  if (!code) return { dir: "auto" };
  return { lang: code, dir: META.languages[code] ? META.languages[code].dir : "auto" };
}

/** Case, width, Arabic vowel marks and the stretching sign do not matter to a search. */
function folded(string) {
  return string.normalize("NFKC").toLowerCase().replace(/[\u064b-\u065f\u0670\u0640]/g, "");
}

/** Places of a needle in a part as it stands; the fold may change lengths, so it is tried sign by sign. */
function findAll(part, needle) {
  const places = [];
  let whole = "";
  const origin = [];
  let position = 0;
  for (const character of part) {
    const fold = folded(character);
    for (let i = 0; i < fold.length; i++) origin.push(position);
    whole += fold;
    position += character.length;
  }
  origin.push(position);
  for (let at = whole.indexOf(needle); at >= 0 && places.length < 200; at = whole.indexOf(needle, at + needle.length)) {
    places.push([origin[at], origin[at + needle.length]]);
  }
  return places;
}
