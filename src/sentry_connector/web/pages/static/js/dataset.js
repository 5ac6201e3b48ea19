// What every side of a DataSet's page has: the run of now as it goes on, and lines that can be copied.
// What a script has filled in is `data-kept`: it stays when the page is asked for anew, and hears `ran` where there is more to see.

import { refresh } from "./forms.js";
import { toast } from "./toasts.js";

const language = document.documentElement.lang;
const numbers = new Intl.NumberFormat(language);
let followed = null;

function tell(section, name, text) {
  const place = section.querySelector(`[data-field="${name}"]`);
  if (place.textContent !== text) place.textContent = text;
}

function lasting(section, seconds) {
  const [words, size] = seconds < 90 ? [section.dataset.seconds, 1] : [section.dataset.minutes, 60];
  return words.replace("{n}", numbers.format(Math.max(0, Math.round(seconds / size))));
}

/** Seconds until all is read, by how much was read since the stream began; undefined where nobody can tell. */
function secondsLeft(stream, { slices, slices_done: done, rows, expected_rows: expected }) {
  const share = expected ? Math.min(1, rows / expected) : slices ? done / slices : 0;
  stream.first ??= { share, at: performance.now() };
  const gained = share - stream.first.share;
  return gained > 0 ? ((1 - share) / gained) * ((performance.now() - stream.first.at) / 1000) : undefined;
}

function show(section, stream, { progress }) {
  if (!progress) return;
  const { slices, slices_done: done, rows, expected_rows: expected, pages, requests, waiting } = progress;
  tell(section, "slices", `${numbers.format(done)} / ${numbers.format(slices)}`);
  tell(section, "pages", numbers.format(pages));
  tell(section, "rows", expected ? `${numbers.format(rows)} / ${numbers.format(expected)}` : numbers.format(rows));
  tell(section, "requests", numbers.format(requests));
  const left = secondsLeft(stream, progress);
  tell(section, "left", left === undefined ? "–" : lasting(section, left));
  const bar = section.querySelector("progress");
  bar.max = Math.max(1, expected || slices);
  bar.value = Math.min(bar.max, expected ? rows : done);
  const why = section.querySelector('[data-field="waiting"]');
  why.hidden = !waiting;
  if (waiting) {
    const [reason, seconds] = waiting;
    tell(section, "waiting", `${JSON.parse(section.dataset.reasons)[reason] ?? reason} (${lasting(section, seconds)})`);
  }
}

/** Listen to the run that the page shows, until its end; then the page is asked for anew. */
function follow() {
  const section = document.querySelector("[data-run]");
  if (followed?.run === section?.dataset.run) return;
  followed?.stream.close();
  followed = null;
  if (!section) return;
  const stream = new EventSource(`/api/v1/runs/${encodeURIComponent(section.dataset.run)}/events`);
  followed = { run: section.dataset.run, stream };
  stream.addEventListener("progress", (event) => {
    const shown = document.querySelector("[data-run]");
    if (shown) show(shown, stream, JSON.parse(event.data));
  });
  stream.addEventListener("end", async () => {
    stream.close();
    followed = null;
    await refresh();
    document.dispatchEvent(new Event("ran"));
  });
}

follow();
document.addEventListener("htmx:after:swap", follow);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copies).textContent);
  toast(button.dataset.done);
});
