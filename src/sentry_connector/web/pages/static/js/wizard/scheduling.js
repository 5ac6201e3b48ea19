// The third pane: when it runs by itself, what becomes of failures, and what a run does to the table.

import { ask, Refused } from "../api.js";
import { linesOf } from "../forms.js";
import { element, shown } from "./looks.js";
import { later } from "./parts.js";
import { Picker } from "./picker.js";
import { advancedRule, basicRule, writtenRule } from "./rule.js";

/** When a slot is: in the zone of the schedule, in UTC where that is another time, and what a change of clocks does to it. */
function timesOf({ at, local, note }) {
  const utc = at.replace("T", " ").replace(":00Z", "Z");
  const isUtc = local.endsWith("+00:00");
  return [...(isUtc ? [] : [local.replace("T", " ")]), utc, ...(note ? [note] : [])];
}

export class Scheduling {
  /**
   * @param {Element} pane
   * @param {object} around shape(): the chosen report; query(): it and its dates in the words of the command line.
   */
  constructor(pane, around) {
    Object.assign(this, { pane, around, form: pane.querySelector("[data-step]"), rule: pane.querySelector("#schedule") });
    this.zone = pane.querySelector("#timezone");
    this.slots = pane.querySelector("[data-slots]");
    this.methods = pane.querySelector("[data-methods]");
    this.key = new Picker(pane.querySelector("[data-picker=key]"));
    this.showSlotsLater = later(() => this.showSlots());
    pane.querySelector("[data-schedule]").addEventListener("input", () => this.apply());
    pane.querySelector("[data-retry-choice]").addEventListener("input", () => this.applyRetry());
    this.methods.addEventListener("change", () => this.applyMethod());
    this.methods.querySelector("[data-retry]").addEventListener("click", () => this.askMethods());
  }

  value(id) {
    return this.pane.querySelector(`#${id}`).value;
  }

  ticked(id) {
    return Array.from(this.pane.querySelectorAll(`#${id} :checked`), (one) => one.value);
  }

  /** The rule of what the controls say. */
  ruleNow(kind) {
    if (kind === "rule") return writtenRule(this.value("rule"));
    if (kind === "advanced") {
      return advancedRule({
        months: this.ticked("advanced-months"), days: this.value("advanced-days"), dates: this.value("advanced-dates"),
        nth: this.ticked("advanced-nth"), weekdays: this.ticked("advanced-weekdays"), when: this.value("advanced-when"),
        times: this.value("advanced-times"), minutes: this.value("advanced-minutes"), hours: this.value("advanced-hours"),
      });
    }
    return basicRule({
      repeats: this.value("basic"), minutes: this.value("basic-minutes"), hours: this.value("basic-hours"),
      time: this.value("basic-time"), days: this.ticked("basic-days"), day: this.value("basic-day"),
    });
  }

  /** Show the controls of what is chosen; one kind of schedule takes the place of the others. */
  apply() {
    const kind = this.pane.querySelector("[data-schedule-kind]:checked").value;
    for (const part of this.pane.querySelectorAll("[data-schedule-part]")) part.hidden = part.dataset.schedulePart !== kind;
    for (const [name, id] of [["basic", "basic"], ["advancedDays", "advanced-days"], ["advancedWhen", "advanced-when"]]) {
      const attribute = `data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      for (const part of this.pane.querySelectorAll(`[${attribute}]`)) part.hidden = !part.dataset[name].split(" ").includes(this.value(id));
    }
    this.rule.value = this.ruleNow(kind);
    this.pane.querySelector("#schedule-wrong").hidden = true;
    this.showSlotsLater();
  }

  /** The rule in words, and its next five slots in its zone and in UTC. */
  async showSlots() {
    const query = new URLSearchParams({ rule: this.rule.value, timezone: this.zone.value, count: 5 });
    return shown(this.slots, { path: `/api/v1/schedule?${query}` }, (answer) => this.slotsOf(answer));
  }

  slotsOf({ rule, words, timezone, slots }) {
    const line = element("p", {}, element("strong", { text: words }), ` (${timezone}) `, element("code", { text: rule }));
    if (!slots.length) return [line, element("p", { text: this.slots.dataset.never })];
    const rows = slots.map((slot) => element("li", {}, timesOf(slot).join(" · ")));
    return [line, element("p", { text: this.slots.dataset.next }), element("ul", {}, ...rows)];
  }

  applyRetry() {
    for (const select of this.pane.querySelectorAll("[data-retry-fields] select")) select.disabled = !this.retries;
  }

  get retries() {
    return this.pane.querySelector("#retry-always").checked;
  }

  /** How a failed run is tried again; null: not. */
  get retry() {
    return this.retries ? { every: Number(this.value("retry-every")) * 60, times: Number(this.value("retry-times")) } : null;
  }

  /** What each method would do with the report and its dates; one that cannot be is not to be chosen, and says why. */
  async askMethods() {
    const failed = this.methods.querySelector("[data-failed]");
    failed.hidden = true;
    try {
      const query = this.around.query();
      const offers = await ask("GET", `/api/v1/update-methods?${query}`);
      for (const one of offers) {
        const radio = this.pane.querySelector(`#method-${one.method}`);
        radio.disabled = one.refused !== null;
        this.pane.querySelector(`#method-${one.method}-about`).textContent = one.refused ?? one.about;
      }
      const chosen = this.methods.querySelector("input:checked");
      if (chosen?.disabled) this.pane.querySelector(`#method-${offers.find((one) => one.recommended).method}`).checked = true;
      this.applyMethod();
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      failed.querySelector("[data-failed-words]").textContent = linesOf(error.problem).join(" ");
      failed.hidden = false;
      return false;
    }
  }

  applyMethod() {
    const method = this.methods.querySelector("input:checked")?.value;
    for (const part of this.pane.querySelectorAll("[data-method]")) {
      const is = part.dataset.method.split(" ").includes(method);
      part.hidden = !is;
      part.toggleAttribute("data-off", !is);
    }
  }

  /** The report or its dates have changed. */
  refresh() {
    const { columns, key } = this.around.shape();
    this.key.offer(columns.map((one) => ({ value: one, label: key.includes(one) ? `${one} ★` : one })));
    this.askMethods();
  }

  opened() {
    this.refresh();
    this.apply();
    this.applyRetry();
  }

  async valid() {
    const [isSchedule, areMethods] = await Promise.all([this.showSlotsLater.now(), this.askMethods()]);
    return isSchedule !== null && areMethods;
  }

  get summary() {
    return this.rule.value;
  }
}
