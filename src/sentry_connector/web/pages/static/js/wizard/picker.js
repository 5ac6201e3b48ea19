// A menu of many things: searched as one types, chosen by mouse or keyboard, asked of the API, which may fail and be asked again.
// At most MOST options are shown at a time; the rest is found by typing.

import { ask, Refused } from "../api.js";
import { linesOf } from "../forms.js";

const MOST = 100;
const ALL = "*";

export class Picker {
  /**
   * @param {Element} box what the macro `picker` has made.
   * @param {(answer: any) => {value: string, label: string, parent?: string}[]} read makes options of the API's answer.
   */
  constructor(box, read = (answer) => answer) {
    Object.assign(this, { box, read, words: box.dataset, options: [], shown: [], at: -1, address: null });
    const find = (selector) => box.querySelector(selector);
    this.search = find("[role=combobox]");
    this.list = find("[role=listbox]");
    this.held = find("[data-holds]");
    this.said = find("[data-said]");
    this.chosenList = find("[data-chosen]");
    this.failed = find("[data-failed]");
    this.allLater = find("[data-all-later]");
    this.selectAll = find("[data-select-all]");
    this.search.addEventListener("input", () => this.open());
    this.search.addEventListener("click", () => this.open());
    this.search.addEventListener("keydown", (event) => this.pressed(event));
    box.addEventListener("focusout", (event) => box.contains(event.relatedTarget) || this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault()); // the search keeps the focus
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.toggle(option.dataset.value);
    });
    this.selectAll.addEventListener("click", () => this.choose(this.matching().map((one) => one.value)));
    find("[data-refresh]").addEventListener("click", () => this.load(this.address, { anew: true }));
    find("[data-retry]").addEventListener("click", () => this.load(this.address, { anew: true }));
    this.allLater?.addEventListener("change", () => this.choose(this.allLater.checked ? [ALL] : []));
    this.chosenList.addEventListener("click", (event) => {
      const chip = event.target.closest("[data-value]");
      if (!chip || !event.target.closest("button")) return;
      this.choose(this.chosen.filter((one) => one !== chip.dataset.value));
      this.search.focus();
    });
    this.show();
  }

  /** The values that are chosen. */
  get chosen() {
    return this.held.value ? this.held.value.split("\n") : [];
  }

  choose(values) {
    this.held.value = values.join("\n");
    this.show();
    this.held.dispatchEvent(new Event("input", { bubbles: true }));
    this.held.dispatchEvent(new Event("change", { bubbles: true }));
  }

  toggle(value) {
    const chosen = this.chosen.filter((one) => one !== ALL);
    this.choose(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);
    this.search.value = "";
    if (!this.list.hidden) this.showOptions();
  }

  /**
   * Ask what there is to choose from; an answer that was overtaken is thrown away.
   * @param {string|null} address of the API; null: nothing can be asked yet.
   */
  async load(address, { anew = false } = {}) {
    if (address === this.address && !anew) return;
    this.stop?.abort();
    const stop = new AbortController();
    Object.assign(this, { stop, address, options: [], known: false });
    this.failed.hidden = true;
    this.search.disabled = this.selectAll.disabled = address === null;
    this.close();
    if (address === null) {
      this.said.textContent = "";
      return;
    }
    this.said.textContent = this.words.loading;
    try {
      this.options = this.read(await ask("GET", address, { signal: stop.signal }));
      this.known = true;
      this.say();
      this.show();
      if (document.activeElement === this.search && this.search.value) this.open();
      this.box.dispatchEvent(new CustomEvent("loaded"));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refused)) throw error;
      this.said.textContent = "";
      this.failed.querySelector("[data-failed-words]").textContent = linesOf(error.problem).join(" ");
      this.failed.hidden = false;
    }
  }

  /** Offer what is known without asking. */
  offer(options) {
    this.box.querySelector("[data-refresh]").hidden = this.selectAll.hidden = true;
    Object.assign(this, { options, known: true });
    this.show();
  }

  matching() {
    const wanted = this.search.value.trim().toLowerCase();
    if (!wanted) return this.options;
    return this.options.filter((one) => `${one.label}\n${one.value}`.toLowerCase().includes(wanted));
  }

  open() {
    this.at = -1;
    if (!this.known) return;
    this.list.hidden = false;
    this.search.setAttribute("aria-expanded", "true");
    this.showOptions();
  }

  close() {
    this.list.hidden = true;
    if (this.known) this.say();
    this.search.setAttribute("aria-expanded", "false");
    this.search.removeAttribute("aria-activedescendant");
  }

  showOptions() {
    const found = this.matching();
    const chosen = new Set(this.chosen);
    this.shown = found.slice(0, MOST);
    const rows = this.shown.map((one, place) => {
      const row = document.createElement("li");
      row.id = `${this.search.id}-option-${place}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(chosen.has(one.value)));
      row.dataset.value = one.value;
      row.append(...named(one));
      return row;
    });
    this.list.replaceChildren(...rows);
    this.list.hidden = !rows.length;
    this.say(found.length);
    this.mark();
  }

  /** How many there are, and what to do where not all are shown. */
  say(found = 0) {
    const { known, none, noMatch, more } = this.words;
    const all = this.options.length;
    if (!all) this.said.textContent = none;
    else if (!this.list.hidden && found > MOST) this.said.textContent = `${known.replace("{n}", count(all))}; ${more.replace("{n}", count(found - MOST))}`;
    else if (this.search.value && !found) this.said.textContent = noMatch.replace("{text}", this.search.value);
    else this.said.textContent = known.replace("{n}", count(all));
  }

  mark() {
    for (const [place, row] of [...this.list.children].entries()) row.classList.toggle("active", place === this.at);
    const row = this.at < 0 ? null : this.list.children[this.at];
    if (row) {
      this.search.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    } else {
      this.search.removeAttribute("aria-activedescendant");
    }
  }

  pressed(event) {
    const last = this.shown.length - 1;
    const moves = { ArrowDown: () => Math.min(this.at + 1, last), ArrowUp: () => Math.max(this.at - 1, 0), Home: () => 0, End: () => last };
    if (event.key === "ArrowDown" && this.list.hidden) {
      this.open();
    }
    if (event.key in moves && !this.list.hidden && (this.at >= 0 || event.key.startsWith("Arrow"))) {
      event.preventDefault();
      this.at = moves[event.key]();
      this.mark();
    } else if (event.key === "Enter" && !this.list.hidden) {
      event.preventDefault(); // what is typed here is searched for, and sends no form
      const only = this.shown.length === 1 ? this.shown[0] : this.shown[this.at];
      if (only) this.toggle(only.value);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      this.close();
    } else if (event.key === "Backspace" && !this.search.value) {
      this.choose(this.chosen.slice(0, -1));
    }
  }

  /** Show what is chosen; what the list does not hold (any more) is marked. */
  show() {
    const known = new Map(this.options.map((one) => [one.value, one]));
    const chosen = this.chosen;
    this.chosenList.replaceChildren(...chosen.slice(0, MOST).map((value) => {
      const chip = document.createElement("li");
      chip.className = "chip";
      chip.dataset.value = value;
      const one = value === ALL ? { label: this.words.all } : known.get(value);
      chip.append(...named(one ?? { label: value }));
      if (!one && this.known) {
        chip.classList.add("gone");
        chip.append(` (${this.words.gone})`);
      }
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", this.words.remove.replace("{name}", one?.label ?? value));
      chip.append(remove);
      return chip;
    }));
    if (chosen.length > MOST) {
      const rest = document.createElement("li");
      rest.className = "chip";
      rest.textContent = `+ ${count(chosen.length - MOST)}`;
      this.chosenList.append(rest);
    }
    this.chosenList.hidden = !chosen.length;
    if (this.allLater) this.allLater.checked = chosen.includes(ALL);
  }
}

/** The name as Sentry has it, and beside it what tells equal names apart. */
function named(one) {
  const label = document.createElement("bdi");
  label.textContent = one.label;
  if (!one.value || one.value === one.label) return [label];
  const value = document.createElement("bdi");
  value.className = "muted small";
  value.textContent = one.parent && !one.value.includes("/") ? `${one.parent} / ${one.value}` : one.value;
  return [label, " ", value];
}

const count = (number) => number.toLocaleString(document.documentElement.lang);
