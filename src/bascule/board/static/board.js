// What all pages share: elements without HTML strings, changes by POST, news by a stream.

/** An element: el("a", {href: "/", class: "big"}, "text", otherElement). Text is never HTML. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** What a page of an exported site carries, in which nothing can be asked; null on a board. */
export const site = globalThis.bascule ?? null;

export const find = (selector, root = document) => root.querySelector(selector);

/** Show a line at the bottom for a while; `action` is [label, function], such as an undo. */
export function say(text, {problem = false, action = null, seconds = 8} = {}) {
  const line = el("div", {class: problem ? "message problem" : "message"}, el("span", {}, text));
  const close = () => line.remove();
  if (action) {
    line.append(el("button", {type: "button", onclick: () => { close(); action[1](); }}, action[0]));
  }
  line.append(el("button", {type: "button", "aria-label": "close", onclick: close}, "×"));
  find("#messages").append(line);
  setTimeout(close, 1000 * seconds);
}

/** Change something: POST JSON, get JSON. A refusal is shown, and null is returned. */
export async function post(path, data = {}) {
  try {
    const answer = await fetch(path, {method: "POST", body: JSON.stringify(data),
      headers: {"Content-Type": "application/json"}});
    const told = await answer.json();
    if (answer.ok) return told;
    say(told.error ?? `refused (${answer.status})`, {problem: true, seconds: 20});
  } catch {
    say("The board does not answer: is it still running?", {problem: true});
  }
  return null;
}

/** Get JSON. A refusal is shown, and null is returned. */
export async function get(path) {
  try {
    const answer = await fetch(path, {headers: {Accept: "application/json"}});
    const told = await answer.json();
    if (answer.ok) return told;
    say(told.error ?? `refused (${answer.status})`, {problem: true});
  } catch {
    say("The board does not answer: is it still running?", {problem: true});
  }
  return null;
}

/**
 * Call `tell(message)` for every piece of news from `path`.
 *
 * `path` may be a function of the last cursor. The stream is closed while the page is hidden, since
 * a browser opens only six connections to a place, and goes on from its cursor afterwards.
 */
export function listen(path, tell) {
  let source = null, cursor = "";
  const link = find("#link");
  const open = () => {
    source = new EventSource(typeof path === "function" ? path(cursor) : path);
    source.onopen = () => { link.textContent = "live"; link.className = "link live"; };
    source.onerror = () => { link.textContent = "not connected"; link.className = "link lost"; };
    source.onmessage = (event) => {
      cursor = event.lastEventId || cursor;
      const told = JSON.parse(event.data);
      if (told.error) say(told.error, {problem: true, seconds: 20});
      tell(told);
    };
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { source?.close(); source = null; } else if (!source) open();
  });
  open();
}

/** A number with four digits, for people. */
export function short(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(digits)));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
}

export function bytes(n) {
  if (n === null || n === undefined) return "";
  return n < 1e6 ? `${Math.ceil(n / 1e3)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`;
}

/** The words and signs of states; signs so that colour is never alone. */
export const STATES = {running: "▶ running", starting: "… starting", finished: "✓ finished",
  interrupted: "❚❚ stopped", failed: "✗ failed", unreadable: "? unreadable", new: "new"};

export const state = (name) => el("span", {class: `state ${name}`}, STATES[name] ?? name);
