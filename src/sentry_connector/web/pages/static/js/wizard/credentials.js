// The first pane: which account asks Sentry. It is looked at before one goes on.

import { checksOf, element, shown } from "./looks.js";

export class Credentials {
  constructor(pane) {
    Object.assign(this, { pane, checks: null, form: pane.querySelector("[data-step]"), box: pane.querySelector("[data-checks]") });
    this.account = pane.querySelector("#account");
    this.account.addEventListener("change", () => {
      this.checks = null;
      this.box.replaceChildren();
    });
  }

  /** Take up an account that was made just now. */
  add(account) {
    this.account.add(element("option", { value: account.id, text: `${account.name} – ${account.url}` }), 0);
    this.account.value = account.id;
    this.form.hidden = false;
    delete this.form.dataset.off;
    const adds = this.pane.querySelector(".adds");
    adds.open = false;
    adds.querySelector("form").reset();
    this.account.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** Whether there is a way to Sentry with the account; what was found is shown, and what to do. */
  async valid() {
    if (this.form.hidden) return false;
    const id = this.account.value;
    const path = id ? `/api/v1/accounts/${encodeURIComponent(id)}/checks` : "/api/v1/doctor";
    const words = this.box.dataset;
    const found = await shown(this.box, { path }, (answer) => checksOf(answer, words), { waiting: words.checking });
    this.checks = found?.checks ?? null;
    return this.checks?.find((one) => one.name === "token")?.ok ?? false; // all that the way needs comes before the token
  }

  /** Whether another account is chosen than the one that the DataSet has. */
  get changed() {
    return this.account.value !== this.account.dataset.initial;
  }

  get summary() {
    return this.account.selectedOptions[0]?.textContent ?? "";
  }
}
