// The rows of a table: as many as fit are shown, whichever they are of any number, and asked for when they are scrolled to.
//
// What is shown is in the address: ?sort=-date_created&where=level:equals:error&find=timeout&column=title&row=500.

import { ask, Refused } from "./api.js";

const ROW = 34; // pixels, as dataset.css has it
const TALLEST = 8_000_000; // pixels that every browser scrolls
const BLOCK = 100; // rows that are asked for at a time; FIRST_ROWS in dataset.py
const KEPT = 40; // blocks

const root = document.getElementById("rows");
const box = document.getElementById("rows-box");
const space = box.querySelector(".rows-space");
const head = box.querySelector("thead tr");
const body = box.querySelector("tbody");
const wrong = document.getElementById("rows-wrong");
const counted = document.getElementById("counted");
const known = new Map(JSON.parse(root.dataset.columns).map((one) => [one.name, one]));
const numbers = new Intl.NumberFormat(document.documentElement.lang);

let look = readAddress();
let blocks = new Map();
let total = 0;
let asking = new AbortController();

function readAddress() {
  const query = new URLSearchParams(location.search);
  const newest = root.dataset.newest && known.has(root.dataset.newest) ? [`-${root.dataset.newest}`] : [];
  const columns = query.getAll("column").filter((name) => known.has(name));
  return {
    columns: columns.length ? columns : JSON.parse(root.dataset.shown).filter((name) => known.has(name)),
    chosen: columns.length > 0,
    sort: query.has("sort") ? query.getAll("sort").filter(Boolean) : newest,
    isDefault: !query.has("sort"),
    where: query.getAll("where"),
    find: query.get("find") ?? "",
    version: query.get("version"),
    row: Number(query.get("row")) || 0,
  };
}

function addressOf({ columns, chosen, sort, isDefault, where, find, version, row }) {
  const query = new URLSearchParams();
  if (version !== null) query.set("version", version);
  if (chosen) columns.forEach((name) => query.append("column", name));
  if (!isDefault) (sort.length ? sort : [""]).forEach((one) => query.append("sort", one));
  where.forEach((one) => query.append("where", one));
  if (find) query.set("find", find);
  if (row) query.set("row", row);
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

function questionOf(offset, limit, columns) {
  const query = new URLSearchParams({ offset, limit });
  columns.forEach((name) => query.append("column", name));
  look.sort.forEach((one) => query.append("sort", one));
  look.where.forEach((one) => query.append("where", one));
  if (look.find) query.set("find", look.find);
  if (look.version !== null) query.set("version", look.version);
  return `${root.dataset.api}/rows/page?${query}`;
}

/** Look at something else: it gets an address of its own, so that going back leads here. */
function change(changes) {
  look = { ...look, row: 0, ...changes };
  history.pushState(null, "", addressOf(look));
  start();
}

// ---- the rows

async function start() {
  asking.abort();
  asking = new AbortController();
  blocks = new Map();
  box.setAttribute("aria-busy", "true");
  showChoices();
  const first = Math.max(0, Math.floor(look.row / BLOCK));
  const came = await block(first, true);
  if (!came) return;
  box.removeAttribute("aria-busy");
  setHeight();
  goTo(look.row);
  paint();
}

/** A block of rows: those that are there, or null while they are asked for. */
function block(number, wait = false) {
  const found = blocks.get(number);
  if (found) return wait ? found.promise : found.rows;
  const one = { rows: null };
  one.promise = load(number, one, asking.signal);
  blocks.set(number, one);
  if (blocks.size > KEPT) blocks.delete(blocks.keys().next().value);
  return wait ? one.promise : null;
}

async function load(number, one, signal) {
  try {
    const page = cameAlong(number) ?? (await ask("GET", questionOf(number * BLOCK, BLOCK, look.columns), { signal }));
    one.rows = page.rows;
    total = page.total;
    wrong.hidden = true;
    if (!box.hasAttribute("aria-busy")) paint();
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    if (!(error instanceof Refused)) throw error;
    blocks.delete(number);
    box.removeAttribute("aria-busy");
    wrong.textContent = [error.problem.title, error.problem.remedy].filter(Boolean).join(" ");
    wrong.hidden = false;
    return false;
  }
}

/** The first rows, where the page came with them; once. */
function cameAlong(number) {
  const given = document.getElementById("first-rows");
  if (number || location.search || !given) return null;
  given.remove();
  return JSON.parse(given.content.textContent);
}

const fitting = () => Math.max(1, Math.floor((box.clientHeight - ROW) / ROW));
const lastFirst = () => Math.max(0, total - fitting());

function setHeight() {
  space.style.height = `${Math.max(box.clientHeight, Math.min(TALLEST, (total + 1) * ROW))}px`;
}

function firstRow() {
  const way = space.offsetHeight - box.clientHeight;
  return way > 0 ? Math.min(lastFirst(), Math.round((box.scrollTop / way) * lastFirst())) : 0;
}

function goTo(row) {
  const way = space.offsetHeight - box.clientHeight;
  box.scrollTop = lastFirst() ? (Math.min(row, lastFirst()) / lastFirst()) * way : 0;
}

function paint() {
  const first = firstRow();
  const last = Math.min(total, first + fitting());
  const rows = [];
  for (let number = first; number < last; number += 1) rows.push(rowOf(number));
  body.replaceChildren(...rows);
  body.parentElement.setAttribute("aria-rowcount", total + 1);
  const words = total ? root.dataset.count : look.where.length || look.find ? root.dataset.none : root.dataset.empty;
  counted.textContent = words
    .replace("{first}", numbers.format(first + 1))
    .replace("{last}", numbers.format(last))
    .replace("{total}", numbers.format(total));
}

function rowOf(number) {
  const row = document.createElement("tr");
  row.setAttribute("aria-rowindex", number + 2);
  const opener = document.createElement("th");
  opener.scope = "row";
  opener.append(button(numbers.format(number + 1), () => showRow(number), root.dataset.row.replace("{n}", number + 1)));
  row.append(opener);
  const values = block(Math.floor(number / BLOCK))?.[number % BLOCK];
  for (const name of look.columns) row.append(cellOf(values, name));
  return row;
}

function cellOf(values, name) {
  const cell = document.createElement("td");
  if (!values) return cell;
  const value = values[name];
  if (value === null || value === undefined) {
    cell.textContent = "–";
    cell.className = "null";
  } else {
    cell.textContent = textOf(value);
    cell.title = cell.textContent.slice(0, 1000);
    if (typeof value === "object") cell.className = "json";
    if (typeof value === "number") cell.className = "number";
  }
  return cell;
}

const textOf = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

function button(text, action, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

/** All of one row, with JSON as people read it. */
async function showRow(number) {
  const page = await ask("GET", questionOf(number, 1, [...known.keys()]));
  const parts = [];
  for (const [name, value] of Object.entries(page.rows[0] ?? {})) {
    const term = document.createElement("dt");
    term.textContent = name;
    const description = document.createElement("dd");
    const isJson = value !== null && typeof value === "object";
    description.textContent = value === null ? "–" : isJson ? JSON.stringify(value, null, 2) : String(value);
    if (isJson) description.className = "mono";
    parts.push(term, description);
  }
  document.getElementById("one-row-values").replaceChildren(...parts);
  document.getElementById("one-row-title").textContent = root.dataset.row.replace("{n}", numbers.format(number + 1));
  document.getElementById("one-row").showModal();
}

// ---- what is chosen

function showChoices() {
  document.getElementById("find").value = look.find;
  showHead();
  document.getElementById("chips").replaceChildren(
    ...look.where.map((one, place) => {
      const item = document.createElement("li");
      const remove = button(`${spoken(one)} ×`, () => change({ where: look.where.filter((_, other) => other !== place) }));
      remove.className = "button small";
      remove.setAttribute("aria-label", `${root.dataset.remove}: ${spoken(one)}`);
      item.append(remove);
      return item;
    }),
  );
  for (const box of document.querySelectorAll('#choosing input[name="column"]')) box.checked = look.columns.includes(box.value);
}

function spoken(condition) {
  const [column, operator, ...value] = condition.split(":");
  const word = document.querySelector(`#filter-operator option[value="${CSS.escape(operator)}"]`)?.textContent ?? operator;
  return `${column} ${word} ${value.join(":")}`.trim();
}

function showHead() {
  const corner = document.createElement("th");
  corner.scope = "col";
  const hash = document.createElement("span");
  hash.textContent = "#";
  corner.append(hash);
  head.replaceChildren(
    corner,
    ...look.columns.map((name) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.title = known.get(name).about;
      const place = look.sort.findIndex((one) => one.replace(/^-/, "") === name);
      const down = place >= 0 && look.sort[place].startsWith("-");
      const mark = place < 0 ? "" : ` ${down ? "↓" : "↑"}${look.sort.length > 1 ? place + 1 : ""}`;
      if (place >= 0) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      cell.append(button(name + mark, (event) => sortBy(name, event.shiftKey), root.dataset.sort.replace("{column}", name)));
      return cell;
    }),
  );
}

/** Up, then down, then not at all; with Shift beside the columns that rows are sorted by already. */
function sortBy(name, isFurther) {
  const was = look.sort.find((one) => one.replace(/^-/, "") === name);
  const next = was === undefined ? name : was.startsWith("-") ? null : `-${name}`;
  const others = isFurther ? look.sort.filter((one) => one !== was) : [];
  change({ sort: next === null ? others : [...others, next], isDefault: false });
}

document.getElementById("filtering").addEventListener("submit", (event) => {
  event.preventDefault();
  const { column, operator, value } = Object.fromEntries(new FormData(event.target));
  const lines = value.split(/\r?\n/).filter(Boolean);
  const told = operator === "in" ? `:${JSON.stringify(lines)}` : operator === "empty" || operator === "filled" ? "" : `:${value}`;
  event.target.closest("dialog").close();
  event.target.reset();
  change({ where: [...look.where, `${column}:${operator}${told}`] });
});

document.getElementById("choosing").addEventListener("submit", (event) => {
  event.preventDefault();
  event.target.closest("dialog").close();
  const columns = new FormData(event.target).getAll("column");
  if (columns.length) change({ columns, chosen: true, row: firstRow() });
});

let typed;
document.getElementById("finding").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("find").addEventListener("input", (event) => {
  clearTimeout(typed);
  typed = setTimeout(() => change({ find: event.target.value }), 300);
});

let settled;
box.addEventListener("scroll", () => {
  requestAnimationFrame(paint);
  clearTimeout(settled);
  settled = setTimeout(() => {
    look.row = firstRow();
    history.replaceState(null, "", addressOf(look));
  }, 300);
});

new ResizeObserver(() => {
  if (box.hasAttribute("aria-busy")) return;
  setHeight();
  paint();
}).observe(box);

document.addEventListener("ran", () => {
  look.row = firstRow();
  start();
});

addEventListener("popstate", () => {
  look = readAddress();
  start();
});

start();
