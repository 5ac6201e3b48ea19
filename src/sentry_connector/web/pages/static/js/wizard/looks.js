// Answers of the API as parts of a page: checks, a preview, a plan, and what went wrong with a way to try again.

import { ask, Refused } from "../api.js";
import { linesOf } from "../forms.js";

export function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** A copy of a symbol that the page shows already. */
function icon(name) {
  const used = document.querySelector("svg.icon use").getAttribute("href").replace(/#.*/, `#${name}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", used);
  svg.append(use);
  return svg;
}

/**
 * Ask, and show in a box what comes; what fails is told there with a button that asks again.
 * Of two questions for the same box the later one counts.
 * @returns {Promise<any>} the answer; null where it failed or was overtaken.
 */
export async function shown(box, request, show, { waiting } = {}) {
  box.stop?.abort();
  const stop = (box.stop = new AbortController());
  if (waiting) box.replaceChildren(element("p", { class: "muted", text: waiting }));
  try {
    const answer = await ask(request.method ?? "GET", request.path, { body: request.body, signal: stop.signal });
    box.replaceChildren(...show(answer));
    return answer;
  } catch (error) {
    if (error.name === "AbortError") return null;
    if (!(error instanceof Refused)) throw error;
    const again = element("button", { class: "button small", type: "button", text: box.dataset.retryWord });
    again.addEventListener("click", () => shown(box, request, show, { waiting }));
    box.replaceChildren(element("div", { class: "note bad", role: "alert" }, ...linesOf(error.problem).map((text) => element("p", { text })), again));
    return null;
  }
}

function check(one) {
  const words = element("span", {}, element("strong", { text: one.name }), ` ${one.message}`);
  if (one.remedy) words.append(element("span", { class: "help", text: ` ${one.remedy}` }));
  const kind = one.ok ? (one.remedy ? "warn" : "good") : "bad";
  const symbol = { good: "check", warn: "warn", bad: "cross" }[kind];
  return element("li", { class: `check-row ${kind}` }, icon(symbol), words);
}

const SCOPE = "scope ";

/** What the checks found: those of the way to Sentry, and folded those of single reports. */
export function checksOf(found, words) {
  const ways = found.checks.filter((one) => !one.name.startsWith(SCOPE));
  const scopes = found.checks.filter((one) => one.name.startsWith(SCOPE));
  const may = scopes.filter((one) => one.ok).length;
  const summary = words.reportScopes.replace("{n}", may).replace("{all}", scopes.length);
  return [
    element("ul", { class: "check-list" }, ...ways.map(check)),
    element("details", {}, element("summary", { text: summary }), element("ul", { class: "check-list" }, ...scopes.map(check))),
  ];
}

/** The check of a report's scope, among those that were made. */
export const scopeOf = (checks, report) => checks?.find((one) => one.name === SCOPE + report);

/** The first rows, with their types. */
export function previewOf(answer, words) {
  const count = answer.rows.length.toLocaleString(document.documentElement.lang);
  const line = element("p", { class: "muted", text: answer.rows.length ? words.words.replace("{n}", count) : words.none });
  const head = answer.columns.map((one) => element("th", { scope: "col", title: one.about }, element("span", { text: one.name }), element("div", { class: "muted small", text: one.type })));
  const rows = answer.rows.map((row) => element("tr", {}, ...answer.columns.map((one) => cell(row[one.name]))));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  return [line, element("div", { class: "table-box preview", tabindex: "0", role: "region", "aria-label": words.label }, table)];
}

function cell(value) {
  if (value === null || value === undefined) return element("td", { class: "muted", text: "null" });
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return element("td", typeof value === "number" ? { class: "number" } : {}, element("bdi", { class: "clip", text, title: text }));
}

/** How long a first run takes. */
export function planOf(plan, words) {
  const language = document.documentElement.lang;
  const least = (text) => (plan.at_least ? words.atLeast.replace("{n}", text) : text);
  const seconds = Math.max(1, Math.round(plan.seconds));
  const [unit, number] = seconds < 120 ? ["second", seconds] : seconds < 7200 ? ["minute", Math.round(seconds / 60)] : ["hour", Math.round(seconds / 3600)];
  const time = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(number);
  const facts = [
    [words.rows, plan.rows === null ? words.unknown : plan.rows.toLocaleString(language)],
    [words.requests, least(plan.requests.toLocaleString(language))],
    [words.time, least(time)],
  ];
  const list = element("dl", { class: "facts" }, ...facts.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]));
  const missing = plan.incomplete.map((one) => element("p", { text: `${one.scope}: ${one.reason}` }));
  return [element("div", { class: missing.length ? "note warn stack" : "note stack" }, element("strong", { text: words.label }), list, ...missing)];
}
