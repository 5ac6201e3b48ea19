// The SQL console: runs, stops and saves a statement, and shows what it finds.

import { ask, newKey, Refused } from "./api.js";
import { linesOf } from "./forms.js";
import { resultIn } from "./result.js";
import { chartIn } from "./result_chart.js";
import { suggestIn } from "./suggestions.js";
import { toast } from "./toasts.js";

const LONGEST_ADDRESS = 4000;
const TRIES = 50;
const BETWEEN_TRIES = 200;

const byId = (id) => document.getElementById(id);
const place = byId("console");
const words = JSON.parse(place.dataset.words);
const area = byId("sql");
const number = new Intl.NumberFormat(document.documentElement.lang).format;
const seconds = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 }).format;
const savedAs = { address: location.search, sql: area.value };

let running = null; // what is run: its ticket, and what breaks off its request

const suggestions = suggestIn(area, byId("suggestions"), byId("suggested"), words);
const table = resultIn(
  { table: byId("rows"), previous: byId("previous"), next: byId("next"), shown: byId("shown"), open: openValue }, words, number,
);
const chart = chartIn({ drawing: byId("drawing"), kind: byId("chart-kind"), x: byId("chart-x"), y: byId("chart-y") }, place.dataset.chart, words);

ask("GET", "/api/v1/query/names").then(suggestions.learn, () => {}); // without it, the editor only suggests nothing

function openValue(name, text) {
  byId("value-title").textContent = name;
  byId("whole").textContent = text;
  byId("value").showModal();
}

function say(text) {
  byId("state").textContent = text;
}

function atWork(job) {
  running = job;
  byId("run").setAttribute("aria-busy", String(job !== null));
  byId("stop").hidden = job === null;
}

/** The address keeps what is asked: reloading and going back lose nothing. */
function keepInAddress() {
  const own = area.value === savedAs.sql ? savedAs.address : `?sql=${encodeURIComponent(area.value)}`;
  if (own.length <= LONGEST_ADDRESS) history.replaceState(null, "", `/query${own}`);
}

function refused(problem) {
  const box = byId("refused");
  const lines = linesOf(problem).map((text) => {
    const line = document.createElement("p");
    line.textContent = text;
    return line;
  });
  if (problem.line) {
    const show = document.createElement("button");
    show.type = "button";
    show.className = "button small";
    show.textContent = words.place.replace("{line}", problem.line).replace("{column}", problem.column);
    show.addEventListener("click", () => goTo(problem.line, problem.column));
    lines.push(show);
  }
  box.replaceChildren(...lines);
  box.hidden = false;
  box.focus();
}

/** Select what stands at a place of the statement. Columns are counted in characters, of which some are two of JavaScript's. */
function goTo(line, column) {
  const lines = area.value.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const begin = before + Array.from(lines[line - 1] ?? "").slice(0, column - 1).join("").length;
  const word = /^[\p{L}\p{N}_$]*/u.exec(area.value.slice(begin))[0];
  area.focus();
  area.setSelectionRange(begin, begin + Math.max(word.length, 1));
}

/** What is done with the statement, stoppable; a refusal is told. */
async function work(first, does) {
  if (running || !area.value.trim()) return;
  const job = { ticket: newKey(), control: new AbortController() };
  suggestions.close();
  byId("refused").hidden = true;
  say(first);
  atWork(job);
  try {
    await does(job);
  } catch (error) {
    say("");
    if (error instanceof Refused) refused(error.problem);
    else if (error.name !== "AbortError") throw error;
  } finally {
    atWork(null);
  }
}

function run() {
  return work(words.running, async (job) => {
    keepInAddress();
    byId("result").hidden = true;
    const body = { sql: area.value, ticket: job.ticket, limit: Number(place.dataset.most) };
    shown(await ask("POST", "/api/v1/query/first-rows", { body, signal: job.control.signal }));
  });
}

function shown(answer) {
  const count = answer.rows.length;
  const said = answer.more ? words.more : count === 0 ? words.none : count === 1 ? words.row : words.rows;
  say(said.replace("{n}", number(count)).replace("{seconds}", seconds(answer.seconds)));
  byId("examples")?.remove();
  byId("result").hidden = false;
  table.show(answer);
  const drawable = chart.take(answer);
  byId("chart-button").hidden = !drawable;
  if (!drawable) openChart(false);
  else if (!byId("chart").hidden) chart.draw();
}

function openChart(open) {
  byId("chart").hidden = !open;
  byId("chart-button").setAttribute("aria-expanded", String(open));
  if (open) chart.draw().catch(() => toast(document.body.dataset.failed, "bad"));
}

/** Stop what is run. The server may not have heard of it yet: then it is asked again, until the statement has stopped or ended. */
async function stop() {
  const job = running;
  if (!job || job.stopping) return;
  job.stopping = true;
  say(words.stopping);
  for (let tries = 0; running === job && tries < TRIES; tries += 1) {
    try {
      await ask("POST", `/api/v1/query/${job.ticket}/cancel`);
      return;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES));
  }
  if (running === job) job.control.abort(); // nobody waits for it any more
}

function brokenOff(error) {
  throw error.name === "AbortError" ? error : new Refused({ title: words.broken, remedy: "" });
}

/** A file of all rows: the browser keeps it until it is whole. */
function exportAs(kind) {
  const [format, profile] = kind === "csv-spreadsheet" ? ["csv", "spreadsheet"] : [kind, "data"];
  return work(words.file, async ({ ticket, control }) => {
    const answer = await fetch("/api/v1/exports", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sql: area.value, format, profile, ticket }),
      signal: control.signal,
    });
    if (!answer.ok) throw new Refused(await answer.json());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob().catch(brokenOff));
    link.download = `query.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say("");
    toast(words.done);
  });
}

// Whoever leaves the page waits for nothing any more.
addEventListener("pagehide", () => {
  if (running) fetch(`/api/v1/query/${running.ticket}/cancel`, { method: "POST", keepalive: true });
});
byId("statement").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
byId("stop").addEventListener("click", stop);
byId("chart-button").addEventListener("click", () => openChart(byId("chart").hidden));
byId("save-button")?.addEventListener("click", (event) => {
  if (area.reportValidity()) byId("save-sql").value = area.value;
  else event.stopPropagation(); // there is nothing to save, and no dialog to open
});
area.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running && !document.querySelector("dialog[open]")) stop();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sql], [data-insert], [data-file]");
  if (!button) return;
  if (button.dataset.file) {
    exportAs(button.dataset.file);
  } else if (button.dataset.insert) {
    area.setRangeText(button.dataset.insert, area.selectionStart, area.selectionEnd, "end");
    area.focus();
  } else {
    area.value = button.dataset.sql;
    area.focus();
    run();
  }
});
