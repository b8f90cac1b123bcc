// Calls of the bench API. One key follows the other: presses are queued so that they arrive in order.

const BASE = "/api/v1";

export async function call(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(BASE + path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error.message}${answer.error.hint ? " · " + answer.error.hint : ""}`);
  return answer;
}

let queue = Promise.resolve();

export function press(...keys) {
  const sent = queue.then(() => call("POST", "/keys", { keys }));
  queue = sent.catch(() => undefined);
  return sent;
}

export const scan = (data, options = {}) => call("POST", "/scan", { data, ...options });

// The newest state, and everybody who wants to know of the next one.
export const live = {
  state: null,
  listeners: new Set(),
  update(state) {
    this.state = state;
    for (const listener of [...this.listeners]) listener(state);
  },
};

export function waitFor(isMet, timeoutMs, signal) {
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      live.listeners.delete(listener);
      clearTimeout(timer);
      settle(value);
    };
    const listener = (state) => isMet(state) && finish(resolve, state);
    const timer = setTimeout(() => finish(reject, new Error("timeout")), timeoutMs);
    signal?.addEventListener("abort", () => finish(reject, signal.reason), { once: true });
    live.listeners.add(listener);
    if (live.state) listener(live.state);
  });
}

export function stream(onSlip) {
  const events = new EventSource(BASE + "/events");
  events.addEventListener("state", (event) => live.update(JSON.parse(event.data)));
  events.addEventListener("slip", onSlip);
  events.addEventListener("open", onSlip);
  return events;
}
