// Puts the page together: live state in, keys, scans and faults out.

import { call, live, scan, stream } from "./api.js";
import { buildScanner } from "./scanner.js";
import { barcode } from "./code128.js";
import { buildAcquirer, buildFaults, makeSwitch } from "./faults.js";
import { buildKeypad, buildLegend } from "./keypad.js";
import { refreshPaper } from "./paper.js";
import { CellScreen, spokenText } from "./screen.js";
import { Stories } from "./stories.js";
import { hasWord, language, setLanguage, word } from "./words.js";

const $ = (id) => document.getElementById(id);
const operator = new CellScreen($("operator"));
const customer = new CellScreen($("customer"));
let info = null;
let sales = [];
let stories = null;

let toastTimer = 0;
function onError(error) {
  $("toast").textContent = error.message;
  $("toast").classList.add("show");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("show"), 4000);
}

function say(text) {
  if ($("coach").textContent !== text) $("coach").textContent = text;
}

function coach(state) {
  if (stories?.running) return;
  const values = info && { no: info.operator.no, pin: info.operator.pin, sno: info.supervisor.no, spin: info.supervisor.pin };
  let name = `coach_${state.workflow_state}`;
  if (state.power === "off") name = "coach_off";
  else if (!state.workflow_state) name = "coach_start";
  else if (!hasWord(name)) name = "coach_other";
  say(word(name, values ?? {}));
}

function lamp(name, isOn, text) {
  const element = document.createElement("span");
  element.className = isOn ? "lamp on" : "lamp off";
  element.textContent = text ?? word(name);
  return element;
}

function lamps(state) {
  const { daemon, devices, outbox } = state;
  if (!daemon) return $("lamps").replaceChildren();
  const waiting = outbox.queued + outbox.sent + outbox.held;
  return $("lamps").replaceChildren(
    lamp("lampBroker", daemon.is_broker_connected),
    lamp("lampOffice", daemon.is_back_office_present),
    ...["scanner", "printer", "keypad"].filter((name) => devices[name]).map((name) =>
      lamp(`device${name[0].toUpperCase()}${name.slice(1)}`, devices[name].online && !devices[name].code)),
    lamp("lampOutbox", waiting === 0, `${word("lampOutbox")} ${waiting}`),
  );
}

function showState(state) {
  operator.show(state.screens.operator);
  customer.show(state.screens.customer);
  $("dark").hidden = state.power === "on";
  const spoken = state.power === "on" ? spokenText(state.screens.operator) : word("noPower");
  if ($("spoken").textContent !== spoken) $("spoken").textContent = spoken;
  $("printer-lamp").className = state.devices.printer?.online && !state.devices.printer.code ? "ok" : "bad";
  lamps(state);
  coach(state);
}

const yuan = (minor) => `¥${(minor / 100).toFixed(2)}`;

function showSales() {
  $("sales").replaceChildren(...sales.map((sale) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sale";
    button.dataset.code = sale.code;
    const title = document.createElement("span");
    title.className = "sale-title";
    title.textContent = language() === "en" ? sale.label_en : sale.label_zh;
    const amount = document.createElement("span");
    amount.className = "sale-amount";
    amount.textContent = yuan(sale.paid_minor);
    const code = document.createElement("span");
    code.className = "sale-code";
    code.textContent = sale.code;
    button.append(title, amount, barcode(sale.code), code);
    button.addEventListener("click", (event) => {
      scan(sale.code).catch(onError);
      button.classList.add("beam");
      setTimeout(() => button.classList.remove("beam"), 450);
      if (event.detail) $("operator").focus({ preventScroll: true });
    });
    item.append(button);
    return item;
  }));
}

function showInfo() {
  for (const role of ["operator", "supervisor"]) {
    $(`${role}-no`).textContent = info[role].no;
    $(`${role}-pin`).textContent = info[role].pin;
  }
  $("office").href = info.backoffice.url;
  $("users").replaceChildren(...info.users.map((user) => {
    const item = document.createElement("li");
    item.innerHTML = "<b></b> <code></code>";
    item.firstChild.textContent = user.name;
    item.lastChild.textContent = user.password;
    return item;
  }));
}

function useLanguage(wanted) {
  setLanguage(wanted);
  try { localStorage.setItem("language", wanted); } catch { /* private mode: the choice lasts as long as the page */ }
  $("language").textContent = wanted === "en" ? "中文" : "English";
  buildLegend($("legend"));
  showSales();
  if (live.state) showState(live.state);
}

function starters() {
  stories = new Stories({ info, sales: () => sales, say, onError });
  const buttons = { "story-full": "fullRefund", "story-paycode": "payCode", "story-paper": "paperOut" };
  const end = () => {
    $("story-stop").hidden = true;
    document.body.classList.remove("playing");
  };
  for (const [id, story] of Object.entries(buttons)) {
    $(id).addEventListener("click", () => {
      $("story-stop").hidden = false;
      document.body.classList.add("playing");
      stories.play(stories[story], end);
      $("operator").focus({ preventScroll: true });
    });
  }
  $("story-stop").addEventListener("click", () => stories.stop());
}

async function start() {
  let wanted = null;
  try { wanted = localStorage.getItem("language"); } catch { /* private mode */ }
  wanted ??= navigator.language.startsWith("zh") ? "zh-CN" : "en";
  buildKeypad($("keypad"), $("operator"), onError);
  buildFaults($("faults"), onError);
  buildAcquirer($("acquirer"), onError);
  buildScanner({ select: $("scanner-kind"), picture: $("scanner-picture"), place: $("scanner") }, onError);
  makeSwitch($("power"), {
    isOn: (state) => state.power === "on",
    set: (isOn) => call("POST", `/power/${isOn ? "on" : "cut"}`),
  }, onError);
  useLanguage(wanted);
  $("language").addEventListener("click", () => useLanguage(language() === "en" ? "zh-CN" : "en"));
  $("scan-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("scan-text").value) scan($("scan-text").value).then(() => $("scan-text").select()).catch(onError);
  });
  [info, { sales }] = await Promise.all([call("GET", "/info"), call("GET", "/sales")]);
  showInfo();
  showSales();
  starters();
  live.listeners.add(showState);
  const paper = () => refreshPaper($("paper"), $("no-paper"), $("slip-count")).catch(onError);
  $("reset").addEventListener("click", () => call("POST", "/reset", {}).then(paper).catch(onError));
  const events = stream(paper);
  events.addEventListener("error", () => onError(new Error(word("connectionLost"))));
  $("operator").focus({ preventScroll: true });
  document.body.classList.add("ready");
}

start().catch(onError);
