// What is entered in a page and not saved yet: kept in this tab for as long as it is open. No token is ever part of it.

const NEWS = "draft-news";
const isKept = (control) => control.id && control.type !== "password" && !("passing" in control.dataset) && control.matches("input, select, textarea");
const isTicked = (control) => control.type === "checkbox" || control.type === "radio";

export class Draft {
  /** @param {string} name of what is kept; @param {Element} root around the controls. */
  constructor(name, root) {
    Object.assign(this, { name: `draft:${name}`, root });
    this.stored = JSON.parse(sessionStorage.getItem(this.name) ?? "null");
  }

  /** @param {object} state what else is to be known. */
  keep(state) {
    const fields = {};
    for (const control of this.root.querySelectorAll("input, select, textarea")) {
      if (isKept(control)) fields[control.id] = isTicked(control) ? control.checked : control.value;
    }
    this.stored = { fields, state };
    sessionStorage.setItem(this.name, JSON.stringify(this.stored));
  }

  /** Fill in what was kept; a choice that is not offered any more is left as it is. */
  fill(ids = null) {
    for (const [id, value] of Object.entries(this.stored?.fields ?? {})) {
      const control = document.getElementById(id);
      if (!control || (ids && !ids.includes(id))) continue;
      if (isTicked(control)) control.checked = value;
      else if (control.tagName !== "SELECT" || [...control.options].some((one) => one.value === value)) control.value = value;
    }
  }

  /** Something to be told by the page that comes next. */
  static tell(text) {
    sessionStorage.setItem(NEWS, text);
  }

  /** What the page before wanted told, once. */
  static news() {
    const text = sessionStorage.getItem(NEWS);
    sessionStorage.removeItem(NEWS);
    return text;
  }

  forget() {
    sessionStorage.removeItem(this.name);
  }
}
