// The list of DataSets: choosing several and doing something with each, and views that this browser keeps.

import { ask, newKey, Refused } from "./api.js";
import { linesOf } from "./forms.js";
import { renew } from "./live.js";
import { toast } from "./toasts.js";

const AT_ONCE = 4;
const bar = document.getElementById("bulk");
/** Id → what its row says. What is chosen stays chosen while the list is renewed or filtered. */
const chosen = new Map();

const api = (id) => `/api/v1/datasets/${encodeURIComponent(id)}`;

const WORKS = {
  run: (one) => ask("POST", "/api/v1/runs", { body: { dataset: one.id }, key: newKey() }),
  pause: (one) => ask("POST", `${api(one.id)}/pause`, { key: newKey() }),
  resume: (one) => ask("POST", `${api(one.id)}/resume`, { key: newKey() }),
  delete: (one) => ask("DELETE", api(one.id)),
  tag: async (one, form) => {
    const { tags } = await ask("GET", api(one.id));
    const known = new Set(tags.map((tag) => tag.toLowerCase()));
    const more = form.elements.tags.value.split("\n").map((tag) => tag.trim()).filter((tag) => tag && !known.has(tag.toLowerCase()));
    if (more.length) await ask("PATCH", api(one.id), { body: { tags: [...tags, ...more] } });
  },
  owner: async (one, form) => {
    const person = form.elements.person.value.trim();
    const me = form.dataset.me.toLowerCase();
    const share = (thing, id, name, level) => ask("PUT", `/api/v1/${thing}/${encodeURIComponent(id)}/shares/${encodeURIComponent(name)}`, { body: { level } });
    if (form.elements.account.checked && one.account) await share("accounts", one.account, person, "use");
    await share("datasets", one.id, person, "owner");
    const before = one.owners.filter((name) => name.toLowerCase() !== person.toLowerCase());
    before.sort((a, b) => (a.toLowerCase() === me) - (b.toLowerCase() === me)); // who gives up their own level may give none after that
    for (const name of before) await share("datasets", one.id, name, "edit");
  },
};

function said(box) {
  const { choose, name, may, account, owners } = box.dataset;
  return { id: choose, name, may: new Set(may.split(" ")), account, owners: JSON.parse(owners) };
}

const filled = (words, facts) => words.replace(/\{(\w+)\}/g, (_, name) => facts[name]);

function show() {
  const boxes = Array.from(document.querySelectorAll("[data-choose]"));
  for (const box of boxes) {
    box.checked = chosen.has(box.dataset.choose);
    if (box.checked) chosen.set(box.dataset.choose, said(box));
  }
  const all = document.getElementById("choose-all");
  if (all) {
    all.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    all.indeterminate = !all.checked && boxes.some((box) => box.checked);
  }
  if (!bar) return;
  bar.hidden = !chosen.size;
  bar.querySelector("[data-chosen]").textContent = filled(bar.dataset.chosenWords, { n: chosen.size });
  for (const button of bar.querySelectorAll("[data-needs]")) button.hidden = !able(button.dataset.needs).length;
  for (const named of document.querySelectorAll("dialog [data-named]")) {
    const needs = bar.querySelector(`[data-asks="#${named.closest("dialog").id}"]`).dataset.needs;
    named.replaceChildren(...able(needs).map((one) => Object.assign(document.createElement("li"), { textContent: one.name })));
  }
}

const able = (needs) => Array.from(chosen.values()).filter((one) => one.may.has(needs));
const NEEDS = { run: "run", pause: "pause", resume: "pause", tag: "edit", owner: "share", delete: "delete" };

/** Do it with each, a few at once; tell what was refused, and keep only that chosen. */
async function doWithEach(word, form) {
  const waiting = able(NEEDS[word]);
  const all = waiting.length;
  const progress = bar.querySelector("[data-bulk-progress]");
  const refused = [];
  let done = 0;
  Object.assign(progress, { max: all, value: 0, hidden: false });
  bar.setAttribute("aria-busy", "true");
  const worker = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      try {
        await WORKS[word](one, form);
        chosen.delete(one.id);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused.push([one.name, linesOf(error.problem).join(" ")]);
      }
      done += 1;
      progress.value = done;
      bar.querySelector("[data-chosen]").textContent = filled(bar.dataset.busyWords, { n: done, all });
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    progress.hidden = true;
    bar.removeAttribute("aria-busy");
  }
  if (all > refused.length) toast(filled(bar.dataset.doneWords, { n: all - refused.length }));
  if (refused.length) tell(refused);
  await renew(document.getElementById("datasets"));
  show();
}

function tell(refused) {
  const dialog = document.getElementById("bulk-result");
  dialog.querySelector("[data-result-words]").textContent = filled(bar.dataset.refusedWords, { n: refused.length });
  dialog.querySelector("[data-result]").replaceChildren(...refused.flatMap(([name, why]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: why }),
  ]));
  dialog.showModal();
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.id === "choose-all") {
    for (const each of document.querySelectorAll("[data-choose]")) {
      if (box.checked) chosen.set(each.dataset.choose, said(each));
      else chosen.delete(each.dataset.choose);
    }
  } else if (box.dataset?.choose) {
    if (box.checked) chosen.set(box.dataset.choose, said(box));
    else chosen.delete(box.dataset.choose);
  } else {
    return;
  }
  show();
});

document.addEventListener("click", (event) => {
  const asks = event.target.closest("[data-asks]");
  if (asks) document.querySelector(asks.dataset.asks).showModal();
  const button = event.target.closest("button[data-bulk]");
  if (button && bar.getAttribute("aria-busy") !== "true") doWithEach(button.dataset.bulk);
  if (event.target.closest("[data-bulk-clear]")) {
    chosen.clear();
    show();
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.bulk) return;
  event.preventDefault();
  form.closest("dialog").close();
  doWithEach(form.dataset.bulk, form);
});

document.addEventListener("htmx:after:swap", show);

// Views: an address with a name, kept by this browser.

const KEPT = "views";
const box = document.querySelector("[data-views]");

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

function keep(views) {
  localStorage.setItem(KEPT, JSON.stringify(views));
  showViews();
}

function showViews() {
  box.querySelector("[data-views-list]").replaceChildren(...kept().map(({ name, query }) => {
    const line = Object.assign(document.createElement("div"), { className: "view" });
    const link = Object.assign(document.createElement("a"), { textContent: name, href: `/${query}` });
    const gone = Object.assign(document.createElement("button"), { type: "button", className: "button small plain", textContent: "×" });
    gone.setAttribute("aria-label", `${box.dataset.confirm}: ${name}`);
    gone.addEventListener("click", (event) => {
      event.stopPropagation();
      keep(kept().filter((one) => one.name !== name));
    });
    line.append(link, gone);
    return line;
  }));
}

if (box) {
  box.querySelector("[data-views-form]").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = document.getElementById("view-name");
    const name = field.value.trim();
    if (!name) return;
    keep([...kept().filter((one) => one.name !== name), { name, query: location.search }]);
    field.value = "";
  });
  // A click on the form is none on an entry of the menu, which would close it.
  box.querySelector(".menu-list").addEventListener("click", (event) => {
    if (!event.target.closest("a")) event.stopPropagation();
  });
  showViews();
}
show();
