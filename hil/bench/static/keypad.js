// The 17 keys, as stickers on a USB numeric pad; the PC keyboard presses the same keys.

import { press } from "./api.js";
import { word } from "./words.js";

// name, sticker zh, hint en, place [column, row, height], class
const KEYS = [
  ["CANCEL", "取消", "ESC", [1, 1, 1], "red"], ["FN", "功能", "FN", [2, 1, 1], "blue"],
  ["NEXT", "下页", "NXT", [3, 1, 1], "grey"], ["CLEAR", "清除", "CLR", [4, 1, 2], "yellow"],
  ["7", "7", "", [1, 2, 1], ""], ["8", "8", "", [2, 2, 1], ""], ["9", "9", "", [3, 2, 1], ""],
  ["4", "4", "", [1, 3, 1], ""], ["5", "5", "", [2, 3, 1], ""], ["6", "6", "", [3, 3, 1], ""],
  ["1", "1", "", [1, 4, 1], ""], ["2", "2", "", [2, 4, 1], ""], ["3", "3", "", [3, 4, 1], ""],
  ["0", "0", "", [1, 5, 1], ""], ["00", "00", "", [2, 5, 1], ""], ["DOT", ".", "", [3, 5, 1], ""],
  ["ENTER", "确认", "OK", [4, 3, 3], "green"],
];

// KeyboardEvent.key and .code → key of the till (screens.md section 1)
const FROM_PC = {
  Enter: "ENTER", NumpadEnter: "ENTER", Backspace: "CLEAR", NumpadSubtract: "CLEAR", Escape: "CANCEL",
  NumpadDivide: "CANCEL", Tab: "FN", NumpadMultiply: "FN", ArrowDown: "NEXT", PageDown: "NEXT", NumpadAdd: "NEXT",
  ".": "DOT", NumpadDecimal: "DOT", F1: "F1", F2: "F2", F3: "F3", F4: "F4",
};

const buttons = new Map();

export function buildKeypad(element, screen, onError) {
  for (const [name, zh, en, [column, row, height], colour] of KEYS) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `key ${colour}`;
    button.dataset.key = name;
    button.style.gridArea = `${row} / ${column} / span ${height} / span 1`;
    button.innerHTML = en ? `<b>${zh}</b><small>${en}</small>` : `<b>${zh}</b>`;
    if (en) button.setAttribute("aria-label", `${zh} ${en}`);
    button.addEventListener("click", (event) => {
      send(name, onError);
      if (event.detail) screen.focus({ preventScroll: true }); // by pointer: the PC keyboard goes on as the keypad
    });
    buttons.set(name, button);
    element.append(button);
  }
  document.addEventListener("keydown", (event) => onKey(event, screen, onError));
}

export function flash(name) {
  const button = buttons.get(name);
  if (!button) return;
  button.classList.remove("pressed");
  void button.offsetWidth; // restart the animation
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 180);
}

export async function send(name, onError) {
  flash(name);
  try {
    await press(name);
  } catch (error) {
    onError(error);
  }
}

function onKey(event, screen, onError) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || document.querySelector("dialog[open]")) return;
  const target = event.target;
  if (target.closest("input, select, textarea")) return;
  const name = /^[0-9]$/.test(event.key) ? event.key : FROM_PC[event.code] ?? FROM_PC[event.key];
  if (!name || event.shiftKey) return;
  // Tab is FN only on the till's screen (Shift+Tab leaves it); Enter on another control presses that control.
  if (event.key === "Tab" && target !== screen) return;
  if (event.key === "Enter" && target !== screen && target.closest("button, a, summary")) return;
  event.preventDefault();
  send(name, onError);
}

export function buildLegend(element) {
  const rows = [["0–9 .", "0–9 ."], ["Enter", "确认 OK"], ["Backspace", "清除 CLR"], ["Esc", "取消 ESC"],
    ["Tab *", "功能 FN"], ["↓", "下页 NXT"], ["Shift+Tab", word("leaveScreen")]];
  element.replaceChildren(...rows.flatMap(([pc, key]) => {
    const term = document.createElement("dt");
    const meaning = document.createElement("dd");
    term.textContent = pc;
    meaning.textContent = key;
    return [term, meaning];
  }));
}
