// What happens when the page opens: theme, printing, the item browser.
const THEMES = ["auto", "light", "dark"];

function showTheme(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = name;
  $("theme-name").textContent = name;
  $("theme").setAttribute("aria-label", name === "auto" ? "Theme: as the system" : `Theme: ${name}`);
}

function remembered() {
  // Storage is refused in some browsers for files from disk.
  try { return localStorage.getItem("lensbench-theme"); } catch { return null; }
}

let theme = THEMES.includes(remembered()) ? remembered() : "auto";
showTheme(theme);
$("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  showTheme(theme);
  try { localStorage.setItem("lensbench-theme", theme); } catch { /* The choice then lasts as long as the page. */ }
});

// An A4 page lies across, with margins of 10 mm: this many CSS pixels are between them.
const PAPER = 1046;
let unfolded = [];
let shrunk = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("main details:not([open])")].filter((fold) => !fold.closest("#provenance"));
  for (const fold of unfolded) fold.open = true;
});
// What is still wider than the paper after the style of print is made smaller, so that no column is lost.
matchMedia("print").addEventListener("change", (event) => {
  for (const table of shrunk) table.style.zoom = "";
  shrunk = event.matches ? [...document.querySelectorAll(".scroll > table")].filter((table) => table.scrollWidth > PAPER) : [];
  for (const table of shrunk) table.style.zoom = String(PAPER / table.scrollWidth);
});
addEventListener("afterprint", () => { for (const fold of unfolded) fold.open = false; });

function fillChoices() {
  COLUMNS.forEach((column, number) => $("f-variant").append(el("option", { value: number }, textNodes(column.label).textContent)));
  const titles = {};
  for (const group of META.groups) (titles[group.title] ||= new Set()).add(taskKey(group));
  const seen = new Set();
  for (const group of META.groups) {
    if (!seen.has(taskKey(group))) {
      const name = titles[group.title].size > 1 ? `${group.title} (${group.profile})` : group.title;
      $("f-task").append(el("option", { value: taskKey(group) }, name));
      seen.add(taskKey(group));
    }
  }
  for (const code of new Set(META.groups.map((group) => group.language))) {
    const language = META.languages[code];
    $("f-language").append(el("option", { value: code }, language ? `${language.name} (${code})` : code));
  }
}

listenToCopies(META.copies);

(async () => {
  await openIndex();
  fillChoices();
  listenToForm();
  listenToList();
  $("nojs").remove();
  $("browser").hidden = false;
  followAddress();
  addEventListener("hashchange", () => { if (location.hash.includes("=") || location.hash === "#items") followAddress(); });
  addEventListener("popstate", () => { if (location.hash.includes("=")) followAddress(); });
  new IntersectionObserver((seen, watch) => {
    if (seen.some((one) => one.isIntersecting)) { warmTexts(); watch.disconnect(); }
  }).observe($("items"));
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    // The address does not change, so nothing else would happen.
    if (link && link.hash === location.hash && link.hash.includes("=") && !link.hash.includes("item=")) showItems();
  });
  document.documentElement.dataset.ready = "yes";
})();
