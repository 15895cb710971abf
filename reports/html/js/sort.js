// Tables of settings: the head of a column is a button that sorts by it. Without a script they are sorted by endpoint.
function sortKey(row, column) {
  const cell = row.cells[column];
  const text = cell ? cell.dataset.sort : "";
  const number = Number.parseFloat(text);
  return { text, number, missing: text === "" };
}

function sortTable(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: sortKey(row, column) }));
  const numeric = rows.every(({ key }) => key.missing || !Number.isNaN(key.number));
  rows.sort((a, b) => {
    // What has no number stays at the end, whichever way the rest is sorted.
    if (a.key.missing || b.key.missing) return Number(a.key.missing) - Number(b.key.missing);
    const order = numeric ? a.key.number - b.key.number : a.key.text.localeCompare(b.key.text);
    return descending ? -order : order;
  });
  body.append(...rows.map(({ row }) => row));
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    if (place === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      // Numbers begin with the highest, and what varies with the lowest.
      const sorted = head.getAttribute("aria-sort");
      sortTable(table, column, sorted === null ? column >= Number(table.dataset.sortable) : sorted === "ascending");
    });
  });
}
