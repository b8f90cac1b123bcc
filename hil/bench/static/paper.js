// Slips that roll out of the printer, newest first; a click enlarges one.

import { call } from "./api.js";
import { word } from "./words.js";

const shown = new Set();

export async function refreshPaper(list, empty, count) {
  const { slips } = await call("GET", "/slips");
  const ids = new Set(slips.map((slip) => slip.id));
  for (const item of [...list.children]) {
    if (!ids.has(slipId(item))) { item.remove(); shown.delete(slipId(item)); }
  }
  for (const slip of slips) {
    if (shown.has(slip.id)) continue;
    shown.add(slip.id);
    list.prepend(makeSlip(slip));
  }
  empty.hidden = slips.length > 0;
  count.textContent = slips.length ? `${slips.length} ${word("slipCount")}` : "";
}

const slipId = (item) => item.slip.id;

function makeSlip(slip) {
  const item = document.createElement("li");
  item.slip = slip;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "slip";
  button.setAttribute("aria-label", slip.lines.filter((line) => line.trim()).slice(0, 3).join(" "));
  const image = document.createElement("img");
  image.src = slip.png;
  image.alt = slip.text;
  button.append(image);
  if (slip.is_copy) {
    const mark = document.createElement("em");
    mark.textContent = word("copyMark");
    button.append(mark);
  }
  button.addEventListener("click", () => zoom(slip));
  item.append(button);
  return item;
}

function zoom(slip) {
  const dialog = document.getElementById("zoom");
  document.getElementById("zoom-image").src = slip.png;
  document.getElementById("zoom-text").textContent = slip.text;
  dialog.showModal();
}
