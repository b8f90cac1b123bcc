// The three starters: they press, scan and wait as a person would, through the same API.

import { call, live, scan, waitFor } from "./api.js";
import { flash, send } from "./keypad.js";
import { word } from "./words.js";

// 18 digits that look like a WeChat payment code (10 … 15 in front); nobody's.
const PAY_CODE = "134567890123456789";
const THINK_MS = 900;

export class Stories {
  constructor({ info, sales, say, onError }) {
    Object.assign(this, { info, sales, say, onError });
    this.running = null;
    this.used = new Set();
  }

  stop() {
    this.running?.abort(new Error("stopped"));
  }

  async play(story, onEnd) {
    this.stop();
    const running = new AbortController();
    this.running = running;
    try {
      await this.toMenu();
      await story.call(this);
      this.say(word("play_end"));
    } catch (error) {
      if (running.signal.aborted) this.say(word("play_stopped"));
      else this.onError(error);
    }
    if (this.running === running) this.running = null;
    onEnd();
  }

  async pause(ms = THINK_MS) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.running?.signal.throwIfAborted();
  }

  async step(name, action) {
    this.say(word("playing") + word(name));
    await this.pause();
    await action?.();
  }

  async keys(...names) {
    for (const name of names) {
      flash(name);
      await send(name, this.onError);
      await this.pause(160);
    }
  }

  state(...names) {
    return waitFor((state) => names.includes(state.workflow_state), 20000, this.running?.signal);
  }

  async toMenu() {
    for (let tries = 0; live.state.workflow_state !== "MENU" && tries < 8; tries += 1) {
      const name = live.state.workflow_state;
      if (name === "LOGIN") await this.step("play_login", () => this.signIn());
      else if (name === "ABANDON" || name === "RESULT") { await this.pause(1100); await this.keys("ENTER"); }
      else await this.keys("CANCEL");
      await this.pause(500);
    }
    await this.state("MENU");
  }

  async signIn() {
    await this.keys(...this.info.operator.no);
    await this.pause(350);
    await this.keys("ENTER", ...this.info.operator.pin);
    await this.pause(350);
    await this.keys("ENTER");
    await this.state("MENU", "RESUME");
  }

  // A bill that nothing was asked back for yet: not by a story here, and not by anybody whose request the back office has.
  async bill() {
    const { requests } = await call("GET", "/backoffice/requests").catch(() => ({ requests: [] }));
    const taken = new Set(requests.map((request) => request.sale_id));
    const isFresh = (sale) => !this.used.has(sale.code) && !taken.has(sale.sale_id);
    const fresh = this.sales().filter((sale) => ["wechat", "spare"].includes(sale.kind) && isFresh(sale));
    return fresh[0] ?? this.sales()[0];
  }

  async submit() {
    const bill = await this.bill();
    await this.step("play_scan", () => scan(bill.code));
    await this.state("SALE");
    await this.step("play_all", () => this.keys("ENTER"));
    await this.state("REASON");
    await this.step("play_reason", () => this.keys("1"));
    await this.state("CONFIRM");
    await this.step("play_submit", () => this.keys("ENTER"));
    this.used.add(bill.code);
    return this.state("RESULT");
  }

  async slips(count) {
    for (let tries = 0; tries < 120; tries += 1) {
      const { slips } = await call("GET", "/slips");
      if (slips.length >= count) return;
      await this.pause(250);
    }
    throw new Error("no slips");
  }

  async slipCount() {
    return (await call("GET", "/slips")).slips.length;
  }

  async fullRefund() {
    const before = await this.slipCount();
    const result = await this.submit();
    await this.step("play_paper", () => this.slips(before + 2));
    await this.step("play_done", () => this.keys("ENTER"));
    await this.state("MENU");
    const refund_request_id = result.daemon.last_request_id;
    await this.step("play_approve", () => call("POST", "/backoffice/decide", { refund_request_id, decision: "approve" }));
    await this.slips(before + 3);
  }

  async payCode() {
    await this.step("play_paycode", () => scan(PAY_CODE));
    await this.pause(2200);
    await this.step("play_refused", async () => scan((await this.bill()).code));
    await this.state("SALE");
  }

  async paperOut() {
    let fault;
    const before = await this.slipCount();
    await this.step("play_paperOut", async () => { fault = await call("POST", "/faults", { kind: "paper_end" }); });
    try {
      await this.submit();
      await this.step("play_saved");
      await this.pause(2200);
      await this.step("play_refill");
    } finally {
      await call("DELETE", `/faults/${fault.id}`);
    }
    await this.slips(before + 2);
  }
}
