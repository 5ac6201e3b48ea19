// Parts that stay up to date: data-live="15" has an element, with an id, asked for anew every 15 seconds, in place.
// Not while nobody looks, while a dialog or a menu is open, or while something in it is being typed.

const since = new WeakMap();

function isBusy(part) {
  const here = document.activeElement;
  return document.hidden || document.querySelector("dialog[open], details.menu[open]") || (part.contains(here) && here.matches("input:not([type=checkbox]), textarea, select"));
}

/** Ask for a part of this page anew. */
export async function renew(part) {
  since.set(part, Date.now());
  const there = `#${part.id}`;
  await window.htmx.ajax("GET", location.pathname + location.search, { target: there, select: there, swap: "outerMorph" });
}

setInterval(() => {
  for (const part of document.querySelectorAll("[data-live]")) {
    if (!since.has(part)) since.set(part, Date.now());
    else if (Date.now() - since.get(part) >= part.dataset.live * 1000 && !isBusy(part)) renew(part);
  }
}, 1000);
