// The table of the first screen as Markdown, LaTeX and CSV: made by lensbench, only handed on here.
async function copyText(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* Refused in some browsers for files from disk. */ }
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { done = false; }
  area.remove();
  return done;
}

/** Where a browser allows no copying, the text is shown, selected, to be copied by hand. */
function showText(line, text) {
  const area = line.parentNode.querySelector("textarea.copied") || document.createElement("textarea");
  area.className = "copied";
  area.setAttribute("readonly", "");
  area.setAttribute("aria-label", "The table as text");
  area.value = text;
  line.after(area);
  area.focus();
  area.select();
}

function listenToCopies(copies) {
  for (const line of document.querySelectorAll(".copies")) {
    line.hidden = false;
    line.addEventListener("click", async (event) => {
      const button = event.target.closest("button[data-copy]");
      if (!button) return;
      const text = copies[Number(button.dataset.run)][button.dataset.copy];
      const done = await copyText(text);
      line.querySelector("output").textContent = done ? `${button.textContent} copied` : "This browser does not allow it; the text is below";
      if (!done) showText(line, text);
    });
  }
}
