// Forms and buttons that ask the API.
//
//   <form data-action="/api/v1/accounts" data-method="POST" data-then="/accounts/{id}">
//   <button data-action="/api/v1/accounts/x/check" data-then="refresh" data-done="Checked.">
//
// A {field} in data-action is a control of the form, and then no part of the body.
// data-then: an address, in which {field} is a field of the answer; or `refresh`: this page is asked for anew, and changed in place.
// data-shows="#dialog": what is answered this once is shown there, in the elements with data-field="NAME" of the answer; the page is
// asked for anew when it is closed.
// A form's controls are the body's fields; a dot in a name goes one level down. data-type says what a value is where it is no
// text: boolean, number, list (lines or chosen options), json. A field that is empty is left out, unless it has data-keep.

import { ask, newKey, Refused } from "./api.js";
import { toast } from "./toasts.js";

const filled = (address, fields) =>
  address.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fields?.[name] ?? ""));

/** The body that a form stands for. */
export function bodyOf(form) {
  const body = {};
  for (const control of form.elements) {
    if (!control.name || control.disabled || control.closest("[data-off]")) continue;
    if (control.type === "radio" && !control.checked) continue;
    const value = valueOf(control);
    if (value === undefined) continue;
    const path = control.name.split(".");
    const last = path.pop();
    const place = path.reduce((inner, name) => (inner[name] ??= {}), body);
    if (Array.isArray(place[last]) && Array.isArray(value)) place[last].push(...value);
    else place[last] = value;
  }
  return body;
}

function valueOf(control) {
  const type = control.dataset.type;
  if (type === "boolean") return control.type === "checkbox" ? control.checked : control.value === "true";
  if (type === "list") {
    if (control.type === "checkbox") return control.checked ? [control.value] : [];
    if (control.multiple) return Array.from(control.selectedOptions, (one) => one.value);
    return control.value.split("\n").map((line) => line.trim()).filter(Boolean);
  }
  if (control.type === "checkbox" && !control.checked) return undefined;
  if (control.value === "") return "keep" in control.dataset ? (type ? null : "") : undefined;
  if (type === "number") return Number(control.value);
  if (type === "json") return JSON.parse(control.value);
  return control.value;
}

/** What is told of a refusal, in lines. */
export function linesOf(problem) {
  const wait = problem.retry_after === undefined ? "" : document.body.dataset.wait.replace("{n}", Math.ceil(problem.retry_after));
  return [problem.title, problem.remedy, wait].filter(Boolean);
}

/** Tell beside a form what was refused, at the field where the API names one. */
export function tellRefusal(form, problem) {
  clearRefusal(form);
  const control = problem.field && form.elements[problem.field];
  const wrong = control && document.getElementById(`${control.id}-wrong`);
  if (wrong) {
    wrong.textContent = linesOf(problem).join(" ");
    wrong.hidden = false;
    control.setAttribute("aria-invalid", "true");
    control.focus();
    return;
  }
  const box = form.querySelector("[data-refused]");
  if (!box) {
    toast(linesOf(problem).join(" "), "bad");
    return;
  }
  box.replaceChildren(...linesOf(problem).map((text) => {
    const line = document.createElement("p");
    line.textContent = text;
    return line;
  }));
  box.hidden = false;
  box.focus();
}

export function clearRefusal(form) {
  for (const wrong of form.querySelectorAll(".wrong, [data-refused]")) wrong.hidden = true;
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
}

/** Ask for this page anew, and change what differs: focus, scroll and open menus stay. */
export async function refresh() {
  await window.htmx.ajax("GET", location.pathname + location.search, { target: "#main", select: "#main", swap: "outerMorph" });
}

async function sent(element, body, key) {
  const { method = "POST", done } = element.dataset;
  const action = filled(element.dataset.action, body);
  for (const [, name] of element.dataset.action.matchAll(/\{(\w+)\}/g)) delete body[name];
  const answer = await ask(method, action, { body, key: method === "POST" ? key : undefined });
  element.dispatchEvent(new CustomEvent("answered", { bubbles: true, detail: answer }));
  const next = element.dataset.then;
  if (next && next !== "refresh" && next !== "none") {
    location.assign(filled(next, answer));
    return;
  }
  element.closest("dialog")?.close();
  if (element.dataset.shows) showOnce(document.querySelector(element.dataset.shows), answer);
  if (done) toast(done);
  if (next === "refresh") await refresh();
}

function showOnce(dialog, answer) {
  const shown = Array.from(dialog.querySelectorAll("[data-field]"));
  for (const one of shown) {
    const value = answer?.[one.dataset.field];
    one.textContent = Array.isArray(value) ? value.join("\n") : (value ?? "");
  }
  if (!shown.some((one) => one.textContent)) {
    refresh();
    return;
  }
  dialog.addEventListener(
    "close",
    () => {
      for (const one of shown) one.textContent = "";
      refresh();
    },
    { once: true },
  );
  dialog.showModal();
}

async function busy(button, work) {
  if (button?.getAttribute("aria-busy") === "true") return;
  button?.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.action) return;
  event.preventDefault();
  const body = bodyOf(form);
  // The same content sent again is the same request; other content is another one.
  const content = JSON.stringify([form.dataset.action, body]);
  if (form.keptContent !== content) Object.assign(form, { keptContent: content, keptKey: newKey() });
  busy(event.submitter, async () => {
    try {
      await sent(form, body, form.keptKey);
      form.keptContent = undefined;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      tellRefusal(form, error.problem);
    }
  });
});

document.addEventListener("input", (event) => {
  const control = event.target;
  if (control.getAttribute?.("aria-invalid")) {
    control.removeAttribute("aria-invalid");
    const wrong = document.getElementById(`${control.id}-wrong`);
    if (wrong) wrong.hidden = true;
  }
});

document.addEventListener("click", async (event) => {
  const copies = event.target.closest("[data-copies]");
  if (!copies) return;
  await navigator.clipboard.writeText(document.querySelector(copies.dataset.copies).textContent);
  toast(copies.dataset.done);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  busy(button, async () => {
    try {
      await sent(button, button.dataset.body ? JSON.parse(button.dataset.body) : undefined, newKey());
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      toast(linesOf(error.problem).join(" "), "bad");
    }
  });
});
