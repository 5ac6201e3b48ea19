// The command palette: Ctrl-K or ⌘K opens it; arrows choose, Enter goes there, Escape closes.
// Sections and actions stand in the page; DataSets are asked for as one types, and only the last answer counts.

import { ask, Refused } from "./api.js";

const WAIT = 120;
const MOST = 8;

const dialog = document.getElementById("palette");
const input = document.getElementById("palette-search");
const list = document.getElementById("palette-list");
const fixed = list ? Array.from(list.children) : [];
let waits;
let asked;

function shown() {
  return Array.from(list.children).filter((one) => !one.hidden);
}

function choose(option) {
  for (const one of list.children) one.setAttribute("aria-selected", String(one === option));
  if (option) {
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else {
    input.removeAttribute("aria-activedescendant");
  }
}

function tell() {
  const none = dialog.querySelector("[data-palette-none]");
  none.textContent = shown().length ? "" : none.dataset.words;
  choose(shown()[0]);
}

function optionOf(dataset) {
  const option = document.createElement("li");
  option.id = `palette-of-${dataset.id}`;
  option.setAttribute("role", "option");
  option.dataset.href = `/datasets/${encodeURIComponent(dataset.slug)}`;
  const name = document.createElement("span");
  name.textContent = dataset.name;
  const kind = document.createElement("span");
  kind.className = "muted small";
  kind.textContent = list.dataset.ofDataset;
  option.append(name, kind);
  return option;
}

async function find(text) {
  asked?.abort();
  asked = new AbortController();
  const query = new URLSearchParams({ search: text, sort: "name", limit: MOST });
  try {
    const found = await ask("GET", `/api/v1/overview?${query}`, { signal: asked.signal });
    list.replaceChildren(...fixed, ...found.datasets.map(optionOf));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refused)) throw error;
    list.replaceChildren(...fixed);
  }
  tell();
}

function narrow() {
  const text = input.value.trim().toLocaleLowerCase();
  for (const one of fixed) one.hidden = !one.firstElementChild.textContent.toLocaleLowerCase().includes(text);
  clearTimeout(waits);
  if (text) {
    waits = setTimeout(() => find(text), WAIT);
  } else {
    asked?.abort();
    list.replaceChildren(...fixed);
  }
  tell();
}

function open() {
  if (dialog.open || document.querySelector("dialog[open]")) return;
  input.value = "";
  narrow();
  dialog.showModal();
  input.focus();
}

if (dialog) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) open();
  });
  dialog.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) location.assign(option.dataset.href);
    else if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    clearTimeout(waits);
    asked?.abort();
  });
  input.addEventListener("input", narrow);
  input.addEventListener("keydown", (event) => {
    const options = shown();
    const at = options.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + (at <= 0 ? options.length : 0), Home: input.value ? undefined : 0 }[event.key];
    if (to !== undefined && options.length) {
      event.preventDefault();
      choose(options[to % options.length]);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      location.assign(options[at].dataset.href);
    }
  });
}
