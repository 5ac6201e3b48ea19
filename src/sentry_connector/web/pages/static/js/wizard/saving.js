// A DataSet is made, or changed, by the API.

import { ask, newKey } from "../api.js";

/** What a DataSet has that chooses nothing: of menus that do not show, and of other update methods. */
const NO_DETAILS = { organizations: [], projects: [], teams: [], issue: null, stat: null, resolution: null, duration: null, bodies: false };
const NO_OPTIONS = { key: [], keep_days: null, keep_when_empty: false, accept_loss: false, tags: [] };

/**
 * Make it, and have its first run begin.
 * @param {object} sent the keys of requests that may have got through; the same content, whatever has happened, is the same request.
 * @param {() => void} keep remembers them.
 * @returns {Promise<object>} the DataSet.
 */
export async function saveNew(body, sent, keep) {
  const keyOf = (what, content) => {
    const text = JSON.stringify(content);
    if (sent[what]?.text !== text) sent[what] = { text, key: newKey() };
    keep();
    return sent[what].key;
  };
  const made = await ask("POST", "/api/v1/datasets", { body, key: keyOf("dataset", body) });
  const run = { dataset: made.id };
  await ask("POST", "/api/v1/runs", { body: run, key: keyOf("run", run) });
  return made;
}

/**
 * Change it, unless somebody else has meanwhile. What its report shows no menu for stays as it is, unless the report is another one.
 * @param {DOMStringMap} known the id of the DataSet, the version that was looked at, and its report.
 * @param {object} how account: whether that is another one; run: whether it is to run now; done: what follows.
 */
export async function saveChanges(known, body, { account, run, done }) {
  const details = known.report === body.report ? body.details : { ...NO_DETAILS, ...body.details };
  const changes = { ...NO_OPTIONS, ...body, details, account: body.account ?? null };
  if (!account) delete changes.account;
  const path = `/api/v1/datasets/${encodeURIComponent(known.dataset)}`;
  const changed = await ask("PATCH", path, { body: changes, version: known.version });
  done();
  delete known.version; // should the run not be taken, the changes are ours
  if (run) await ask("POST", "/api/v1/runs", { body: { dataset: changed.id }, key: newKey() });
  location.assign(`/datasets/${encodeURIComponent(changed.slug)}`);
}
