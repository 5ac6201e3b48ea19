// The second pane: a report and exactly its menus. Which menus show, and what they offer, is the report's own data.

import { ask, Refused } from "../api.js";
import { linesOf } from "../forms.js";
import { durationOf, optionsOf } from "./dates.js";
import { element, planOf, previewOf, scopeOf, shown } from "./looks.js";
import { Picker } from "./picker.js";
import { later, offer, told } from "./parts.js";

const ALL = "*";

export class Details {
  /**
   * @param {Element} pane
   * @param {object} around account(): the id of the chosen one; definition(): all that is entered; checks(): of the account;
   *   needed: the words for a menu that is empty.
   */
  constructor(pane, around) {
    Object.assign(this, { pane, around, isOpen: false, form: pane.querySelector("[data-step]") });
    this.pickers = Object.fromEntries(["organizations", "projects", "teams"].map((menu) => [menu, new Picker(pane.querySelector(`[data-picker=${menu}]`))]));
    const find = (selector) => pane.querySelector(selector);
    Object.assign(this, { report: find("#report"), stat: find("#stat"), duration: find("#duration"), days: find("#days") });
    this.report.addEventListener("change", () => this.apply());
    for (const menu of pane.querySelectorAll("[data-date]")) menu.addEventListener("input", () => this.showDates());
    find("#resolution").addEventListener("input", () => this.askDaysLater());
    find("#organizations-value").addEventListener("change", () => this.narrow());
    find("[data-load-preview]").addEventListener("click", () => this.preview());
    this.askDaysLater = later(() => this.askDays());
  }

  /** The chosen report, as the server describes it. */
  get shape() {
    return JSON.parse(this.report.selectedOptions[0].dataset.report);
  }

  /** Date menu → what is chosen in it. */
  get dates() {
    return Object.fromEntries(Array.from(this.pane.querySelectorAll("[data-date]"), (menu) => [menu.dataset.date, menu.value]));
  }

  /** What the dates are as `details.duration`; nothing where the report has none. */
  get chosenDuration() {
    return this.shape.has_dates ? durationOf(this.dates) : undefined;
  }

  /** The report and its dates, in the words of the command line. */
  get query() {
    const shape = this.shape;
    return new URLSearchParams({ report: shape.slug, ...(shape.has_dates ? optionsOf(this.dates) : {}) });
  }

  /** Show what the report has. */
  apply() {
    const shape = this.shape;
    this.pane.querySelector("#report-about").textContent = shape.about;
    const notes = this.pane.querySelector("#report-notes");
    notes.hidden = !shape.notes.length;
    notes.querySelector("ul").replaceChildren(...shape.notes.map((text) => element("li", { text })));
    for (const part of this.pane.querySelectorAll("[data-menu]")) show(part, part.dataset.menu in shape.menus);
    for (const part of this.pane.querySelectorAll("[data-shape]")) show(part, shape[part.dataset.shape]);
    offer(this.stat, shape.stats);
    offer(this.duration, shape.durations);
    for (const box of this.pane.querySelectorAll("[data-preview], [data-plan]")) box.replaceChildren();
    this.showScope();
    this.showDates();
    if (this.isOpen) this.load();
  }

  showScope() {
    const note = this.pane.querySelector("#report-scope");
    const check = scopeOf(this.around.checks(), this.shape.name);
    note.hidden = !check || check.ok;
    note.textContent = check ? `${check.message} ${check.remedy}` : "";
  }

  showDates() {
    const chosen = this.shape.has_dates ? this.dates : {};
    for (const part of this.pane.querySelectorAll("[data-when]")) {
      part.hidden = !JSON.parse(part.dataset.when).every(([menu, option]) => chosen[menu] === option);
    }
    const advanced = this.pane.querySelector("[data-advanced]");
    advanced.hidden = ![...advanced.querySelectorAll("[data-shape], [data-when]")].some((part) => !part.hidden);
    this.askDaysLater();
  }

  /** What the dates mean now. @returns {Promise<boolean>} whether they mean something. */
  async askDays() {
    this.daysAsked?.abort();
    const { signal } = (this.daysAsked = new AbortController());
    const query = this.query;
    this.days.classList.remove("wrong");
    if (!this.shape.has_dates) return true;
    query.set("timezone", document.getElementById("timezone").value);
    if (this.shape.counts) query.set("resolution", this.pane.querySelector("#resolution").value);
    try {
      const { days } = await ask("GET", `/api/v1/days?${query}`, { signal });
      const goesOn = query.has("since_last_run");
      this.days.textContent = this.days.dataset[goesOn ? "first" : "reads"].replace("{days}", days);
      return true;
    } catch (error) {
      if (error.name === "AbortError") return false;
      if (!(error instanceof Refused)) throw error;
      this.days.classList.add("wrong");
      this.days.textContent = linesOf(error.problem).join(" ");
      return false;
    }
  }

  opened() {
    this.isOpen = true;
    this.showScope();
    this.load();
    this.askDaysLater();
  }

  closed() {
    this.isOpen = false;
  }

  /** Ask for the menus that show; teams and projects are those of the organizations that are chosen where there is such a menu. */
  load() {
    const { menus } = this.shape;
    const account = this.around.account();
    const organizations = "organizations" in menus ? this.pickers.organizations.chosen : [];
    for (const [menu, picker] of Object.entries(this.pickers)) {
      if (!(menu in menus)) continue;
      const query = new URLSearchParams(account ? { account } : {});
      const narrows = menu !== "organizations" && !organizations.includes(ALL);
      if (narrows) for (const one of organizations) query.append("organization", one);
      const waits = menu === "teams" && !organizations.length;
      picker.load(waits ? null : `/api/v1/choices/${menu}?${query}`);
    }
  }

  /** Other organizations are chosen: what is of none of them is not chosen any more. */
  narrow() {
    const organizations = this.pickers.organizations.chosen;
    const { projects, teams } = this.pickers;
    const isLeft = (value) => value === ALL || organizations.includes(ALL) || organizations.includes(value.split("/")[0]);
    if (organizations.length && !projects.chosen.every(isLeft)) projects.choose(projects.chosen.filter(isLeft));
    if (teams.chosen.some((one) => one !== ALL)) teams.choose([]);
    if (this.isOpen) this.load();
  }

  /** Whether everything that the report needs is there; what is not is told beside it. */
  async valid() {
    const empty = Object.entries(this.shape.menus).filter(([menu, need]) => need === "required" && this.isEmpty(menu)).map(([menu]) => menu);
    for (const menu of empty) told(menu, this.around.needed.replace("{menu}", this.labelOf(menu)));
    if (empty.length) {
      document.getElementById(empty[0]).focus();
      return false;
    }
    return this.askDaysLater.now();
  }

  isEmpty(menu) {
    if (menu in this.pickers) return !this.pickers[menu].chosen.length;
    return menu === "issue" && !this.pane.querySelector("#issue").value.trim();
  }

  labelOf(menu) {
    return this.pane.querySelector(`label[for=${menu}]`).textContent.trim();
  }

  /** The first rows, and how long a run takes: read with what is entered, and stored nowhere. */
  async preview() {
    if (!(await this.valid())) return;
    const { report, details, account } = this.around.definition();
    const body = { report, details, ...(account ? { account } : {}) };
    const parts = [["preview", previewOf], ["plan", planOf]];
    await Promise.all(parts.map(([name, look]) => {
      const box = this.pane.querySelector(`[data-${name}]`);
      return shown(box, { method: "POST", path: `/api/v1/${name}`, body }, (answer) => look(answer, box.dataset), { waiting: box.dataset.asking });
    }));
  }

  get summary() {
    const chosen = Object.entries(this.pickers).filter(([menu]) => menu in this.shape.menus).flatMap(([, picker]) => picker.chosen);
    const some = chosen.length > 3 ? [...chosen.slice(0, 3), "…"] : chosen;
    return [this.shape.name, ...some].join(" · ");
  }

  /** A name for what is chosen. */
  get suggestedName() {
    const [only, another] = this.pickers.projects.chosen;
    const isOne = "projects" in this.shape.menus && only && only !== ALL && !another;
    return isOne ? `${this.shape.name} – ${only}` : this.shape.name;
  }
}

function show(part, is) {
  part.hidden = !is;
  part.toggleAttribute("data-off", !is);
}
