// Switches for everything that can go wrong; each shows what is true on the bench, not what was clicked.

import { call, live } from "./api.js";
import { word } from "./words.js";

const printerFault = (kind) => ({
  name: kind,
  isOn: (state) => state.faults.some((fault) => fault.kind === kind),
  set: async (isOn) => {
    if (isOn) return call("POST", "/faults", { kind });
    const fault = live.state.faults.find((one) => one.kind === kind);
    return fault && call("DELETE", `/faults/${fault.id}`);
  },
});
const cable = (device, name) => ({
  name,
  isOn: (state) => state.unplugged.includes(device),
  set: (isOn) => call("POST", `/devices/${device}/${isOn ? "unplug" : "plug"}`),
});

const SWITCHES = [
  printerFault("paper_end"), printerFault("cover_open"), cable("printer", "printerCable"),
  cable("scanner", "scanner"), cable("keypad", "keypadCable"),
  { name: "network", isOn: (state) => state.broker !== "up", set: (isOn) => call("POST", `/broker/${isOn ? "down" : "up"}`) },
  { name: "officeDown", isOn: (state) => state.back_office === "down", set: (isOn) => call("POST", `/backoffice/${isOn ? "down" : "up"}`) },
  { name: "officeSlow", isOn: (state) => state.back_office === "slow", set: (isOn) => call("POST", `/backoffice/${isOn ? "slow" : "up"}`) },
];

const ANSWERS = [
  ["", "acquirerUsual"], ["processing", "acquirerProcessing"], ["timeout", "acquirerTimeout"],
  ["failed:NOT_ENOUGH", "acquirerBalance"], ["abnormal", "acquirerAbnormal"],
];

export function makeSwitch(element, { isOn, set }, onError) {
  element.setAttribute("role", "switch");
  element.setAttribute("aria-checked", "false");
  element.addEventListener("click", async () => {
    element.classList.add("busy");
    try {
      await set(element.getAttribute("aria-checked") !== "true");
    } catch (error) {
      onError(error);
    }
    element.classList.remove("busy");
  });
  live.listeners.add((state) => element.setAttribute("aria-checked", String(isOn(state))));
}

export function buildFaults(element, onError) {
  for (const one of SWITCHES) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fault";
    button.dataset.fault = one.name;
    button.innerHTML = `<span class="knob" aria-hidden="true"></span><span data-word="${one.name}"></span>`;
    makeSwitch(button, one, onError);
    element.append(button);
  }
}

export function buildAcquirer(select, onError) {
  for (const [value, name] of ANSWERS) {
    const option = document.createElement("option");
    option.value = value;
    option.dataset.word = name;
    option.textContent = word(name);
    select.append(option);
  }
  select.addEventListener("change", async () => {
    try {
      await call("POST", "/acquirer", { next: select.value ? [select.value] : [] });
    } catch (error) {
      onError(error);
    }
  });
}
