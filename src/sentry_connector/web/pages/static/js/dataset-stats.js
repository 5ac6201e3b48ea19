// Figures of the columns; a column's name opens its most common values.

import { ask, Refused } from "./api.js";

let root = null;
const numbers = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });

const shown = (value) => (value === null ? "" : typeof value === "number" ? numbers.format(value) : String(value));

function cell(text, className = "") {
  const made = document.createElement("td");
  made.className = className;
  made.textContent = text;
  return made;
}

function rowOf(one) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const opener = document.createElement("button");
  opener.type = "button";
  opener.className = "button small plain mono";
  opener.textContent = one.name;
  opener.addEventListener("click", () => showCommon(one.name));
  head.append(opener);
  const share = one.rows ? Math.round((one.nulls / one.rows) * 100) : 0;
  const distinct = one.distinct_is_estimate ? root.dataset.about.replace("{n}", numbers.format(one.distinct)) : numbers.format(one.distinct);
  const lengths = one.min_length === null ? "" : `${numbers.format(one.min_length)}–${numbers.format(one.max_length)}, ⌀ ${numbers.format(one.mean_length)}`;
  row.append(
    head,
    cell(`${numbers.format(one.nulls)} (${share} %)`, "number"),
    cell(distinct, "number"),
    cell(shown(one.min)),
    cell(shown(one.max)),
    cell(shown(one.mean), "number"),
    cell(lengths, "number"),
  );
  return row;
}

async function showCommon(name) {
  const found = await ask("GET", `${root.dataset.api}/${encodeURIComponent(name)}`);
  document.getElementById("common-title").textContent = root.dataset.top.replace("{column}", name);
  document.getElementById("common-values").replaceChildren(
    ...found.map(({ value, rows }) => {
      const row = document.createElement("tr");
      row.append(cell(value === null ? root.dataset.none : shown(value), "wrap"), cell(numbers.format(rows), "number"));
      return row;
    }),
  );
  document.getElementById("common").showModal();
}

async function load() {
  root = document.getElementById("stats"); // the first run brings it
  if (!root) return;
  try {
    const found = await ask("GET", root.dataset.api);
    root.querySelector("tbody").replaceChildren(...found.map(rowOf));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const wrong = root.querySelector("[role=alert]");
    wrong.textContent = [error.problem.title, error.problem.remedy].filter(Boolean).join(" ");
    wrong.hidden = false;
  }
  root.querySelector("[role=region]").removeAttribute("aria-busy");
}

load();
document.addEventListener("ran", load);
