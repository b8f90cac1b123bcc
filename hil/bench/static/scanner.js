// Which scanner is on the till, and what is held before it when it is a camera.

import { call, live } from "./api.js";
import { word } from "./words.js";

const KINDS = [
  ["plain", "scannerPlain"], ["ack_nak", "scannerAckNak"], ["ssi", "scannerSsi"], ["grow", "scannerGrow"],
  ["camera", "scannerCamera"],
];

async function show(file) {
  const response = await fetch("/api/v1/camera", { method: "POST", body: file });
  if (!response.ok) throw new Error((await response.json()).error.message);
}

export function buildScanner({ select, picture, place }, onError) {
  for (const [value, name] of KINDS) {
    const option = document.createElement("option");
    option.value = value;
    option.dataset.word = name;
    option.textContent = word(name);
    select.append(option);
  }
  select.addEventListener("change", async () => {
    select.disabled = true;
    try {
      await call("POST", "/scanner", { kind: select.value });
    } catch (error) {
      onError(error);
    }
    select.disabled = false;
  });
  const input = picture.querySelector("input");
  input.addEventListener("change", () => {
    for (const file of input.files) show(file).catch(onError);
    input.value = "";
  });
  place.addEventListener("dragover", (event) => {
    if (live.state?.scanner === "camera") event.preventDefault();
  });
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) show(file).catch(onError);
  });
  live.listeners.add((state) => {
    if (document.activeElement !== select || !select.disabled) select.value = state.scanner;
    picture.hidden = state.scanner !== "camera";
  });
}
