// What `doctor` finds, asked for when somebody wants to know.

import { ask, Refused } from "./api.js";
import { linesOf } from "./forms.js";
import { toast } from "./toasts.js";

const line = (tag, text, kind = "") => Object.assign(document.createElement(tag), { textContent: text, className: kind });

document.querySelector("[data-examines]").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const box = document.getElementById("checks");
  const list = box.lastElementChild;
  box.hidden = false;
  list.replaceChildren(line("p", box.dataset.asking, "muted"));
  button.setAttribute("aria-busy", "true");
  try {
    const { checks } = await ask("GET", "/api/v1/doctor");
    const facts = document.createElement("dl");
    facts.className = "facts";
    for (const one of checks) {
      const told = line("dd", "", "wrap");
      told.append(line("span", one.ok ? box.dataset.good : box.dataset.bad, `status ${one.ok ? (one.remedy ? "warn" : "good") : "bad"}`), ` ${one.message}`);
      if (one.remedy) told.append(line("div", one.remedy, "small muted"));
      facts.append(line("dt", one.name), told);
    }
    list.replaceChildren(facts);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    list.replaceChildren();
    box.hidden = true;
    toast(linesOf(error.problem).join(" "), "bad");
  } finally {
    button.removeAttribute("aria-busy");
  }
});
