// A DataSet in four panes. They open in order and can be gone back to; what is entered stays in this tab until it is saved.

import { Refused } from "./api.js";
import { bodyOf, clearRefusal, linesOf, tellRefusal } from "./forms.js";
import { toast } from "./toasts.js";
import { Credentials } from "./wizard/credentials.js";
import { Details } from "./wizard/details.js";
import { Draft } from "./wizard/draft.js";
import { told } from "./wizard/parts.js";
import { saveChanges, saveNew } from "./wizard/saving.js";
import { Scheduling } from "./wizard/scheduling.js";

const NAMES = ["credentials", "details", "scheduling", "describe"];
const root = document.querySelector("[data-wizard]");
const pane = (name) => root.querySelector(`.pane[data-pane=${name}]`);
const isNew = root.dataset.wizard === "new";
const draft = new Draft(`${location.pathname}${root.dataset.version ?? ""}`, root);
const state = { reached: isNew ? 0 : NAMES.length - 1, named: !isNew, sent: {}, ...draft.stored?.state };

const credentials = new Credentials(pane("credentials"));
const details = new Details(pane("details"), {
  account: () => credentials.account.value,
  checks: () => credentials.checks,
  definition: () => definition(),
  needed: root.dataset.needed,
});
const scheduling = new Scheduling(pane("scheduling"), { shape: () => details.shape, query: () => details.query });
const nameField = root.querySelector("#name");
const describe = {
  form: pane("describe").querySelector("[data-step]"),
  opened() {
    if (!state.named) nameField.value = details.suggestedName;
  },
  get summary() {
    return nameField.value;
  },
};
const panes = { credentials, details, scheduling, describe };
let current = null;

/** All that is entered, as the API takes it; what does not show is no part of it. */
function definition() {
  const whole = {};
  for (const { form } of Object.values(panes)) {
    const { details: inner, ...rest } = bodyOf(form);
    Object.assign(whole, rest, { details: { ...whole.details, ...inner } });
  }
  for (const name of Object.keys(whole)) if (name.startsWith("_")) delete whole[name]; // of the page alone
  const duration = details.chosenDuration;
  if (duration) whole.details.duration = duration;
  return { ...whole, retry: scheduling.retry };
}

const keep = () => draft.keep(state);

function open(name, { push = false, focus = false } = {}) {
  if (current && current !== name) panes[current].closed?.();
  for (const [place, one] of NAMES.entries()) {
    const part = pane(one);
    const button = part.querySelector(".pane-button");
    const isOpen = one === name;
    button.disabled = place > state.reached;
    button.setAttribute("aria-expanded", String(isOpen));
    part.querySelector(".pane-body").hidden = !isOpen;
    const isDone = !isOpen && (place < state.reached || !isNew);
    part.classList.toggle("done", isDone);
    part.querySelector("[data-summary]").textContent = isDone ? panes[one].summary : "";
  }
  current = name;
  if (name) panes[name].opened?.();
  const address = new URL(location.href);
  if (name) address.searchParams.set("pane", name);
  else address.searchParams.delete("pane");
  if (address.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", address);
  keep();
  if (name && focus) pane(name).querySelector(".pane-body :is(input, select, textarea):not([hidden], [type=hidden], :disabled)")?.focus();
}

/** What is behind a pane has to be gone through again. */
function back(name) {
  if (isNew) state.reached = Math.min(state.reached, NAMES.indexOf(name));
  if (current === name) open(name);
}

async function next(name) {
  const one = panes[name];
  clearRefusal(one.form);
  if (!(await one.valid())) return;
  const following = NAMES[NAMES.indexOf(name) + 1];
  state.reached = Math.max(state.reached, NAMES.indexOf(following));
  open(following, { push: true, focus: true });
}

const FIELDS = { tag: "tags", dates: "duration", "usage.schedule": "schedule", "usage.dates": "duration", "usage.loss": "accept_loss" };

/** Tell what was refused beside its field, in its pane; beside the button where it has none. */
function refuse(problem) {
  const field = problem.field ?? problem.menu ?? problem.kind ?? problem.name;
  const id = FIELDS[field] ?? field;
  const wrong = document.getElementById(`${id}-wrong`);
  const place = wrong?.closest(".pane");
  if (!place) {
    tellRefusal(panes[current].form, problem);
    return;
  }
  open(place.dataset.pane, { push: place.dataset.pane !== current });
  told(id, linesOf(problem).join(" "));
  const control = document.getElementById(id);
  (control && control.type !== "hidden" ? control : wrong.parentElement.querySelector("input:checked"))?.focus();
}

/** Save what is entered; `how`: `new` for another one afterwards, `run` for a run at once. */
async function save(how) {
  const body = definition();
  if (!isNew) {
    await saveChanges(root.dataset, body, { account: credentials.changed, run: how === "run", done: () => draft.forget() });
    return;
  }
  const made = await saveNew(body, state.sent, keep);
  draft.forget();
  if (how === "new") {
    Draft.tell(root.dataset.news.replace("{name}", made.name));
    location.assign(`${location.pathname}?${new URLSearchParams({ account: body.account ?? "" })}`);
  } else {
    location.assign(`/datasets/${encodeURIComponent(made.slug)}`);
  }
}

async function busy(button, work) {
  if (button?.getAttribute("aria-busy") === "true") return;
  button?.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(error.problem);
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

root.addEventListener("submit", (event) => {
  const name = event.target.dataset.step;
  if (!name) return;
  event.preventDefault();
  busy(event.submitter, () => {
    if (isNew && name !== "describe") return next(name);
    clearRefusal(panes[name].form);
    return save(event.submitter?.dataset.save);
  });
});
root.addEventListener("answered", (event) => {
  if (!("addsAccount" in event.target.dataset)) return;
  credentials.add(event.detail);
  if (isNew) busy(credentials.form.querySelector("[type=submit]"), () => next("credentials"));
});
root.addEventListener("click", (event) => {
  const button = event.target.closest(".pane-button");
  if (!button) return;
  const { pane: name } = button.closest(".pane").dataset;
  open(name === current && !isNew ? null : name, { push: true });
});
root.addEventListener("input", (event) => {
  if (event.target === nameField) state.named = true;
  keep();
});
root.addEventListener("change", (event) => {
  if (event.target === credentials.account) back("credentials");
  if (event.target === details.report) back("details");
  keep();
});
document.querySelector("[data-start-over]").addEventListener("click", () => {
  draft.forget();
  location.assign(location.pathname);
});
window.addEventListener("popstate", () => open(chosenPane()));

function chosenPane() {
  const asked = new URLSearchParams(location.search).get("pane");
  const place = NAMES.indexOf(asked);
  if (place >= 0 && place <= state.reached) return asked;
  return isNew ? NAMES[state.reached] : null;
}

const news = Draft.news();
if (news) toast(news);
draft.fill(["report"]);
details.apply();
draft.fill();
for (const picker of [...Object.values(details.pickers), scheduling.key]) picker.show();
details.apply();
open(chosenPane());
