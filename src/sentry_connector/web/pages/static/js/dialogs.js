// Dialogs and small menus: opened and closed by buttons; Escape and a click outside close them too.

import { clearRefusal } from "./forms.js";

document.addEventListener("click", (event) => {
  const opens = event.target.closest("[data-opens]");
  if (opens) document.querySelector(opens.dataset.opens).showModal();
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target) || event.target.closest(".menu-list")) menu.open = false;
  }
});

// What was refused is not told again when a dialog is opened once more; `close` does not bubble.
document.addEventListener("close", (event) => clearRefusal(event.target), { capture: true });

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
