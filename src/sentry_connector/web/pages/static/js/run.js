// A run as it goes on: its figures, and its log line by line. Streams are closed when the page is left.

import { refresh } from "./forms.js";

const box = document.querySelector("[data-run]");
const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium", hourCycle: "h23" });
const HIDDEN = new Set(["event", "level", "timestamp", "run"]);
const streams = [];

function follow(address, heard) {
  const stream = new EventSource(address);
  for (const [name, tell] of Object.entries(heard)) stream.addEventListener(name, (event) => tell(event.data && JSON.parse(event.data), stream));
  streams.push(stream);
}

function put(name, text) {
  const place = document.querySelector(`[data-figure="${name}"]`);
  if (place) place.textContent = text;
}

function showProgress({ progress }) {
  if (!progress) return;
  const bar = document.querySelector("[data-slices]");
  if (bar && progress.slices) Object.assign(bar, { max: progress.slices, value: progress.slices_done });
  put("slices", `${number.format(progress.slices_done)} / ${number.format(progress.slices)}`);
  for (const name of ["rows", "pages", "requests", "requests_refused", "waited_seconds", "bytes"]) put(name, number.format(progress[name]));
  const waiting = document.querySelector("[data-waiting]");
  if (!waiting) return;
  const [why, seconds] = progress.waiting ?? [];
  const reasons = JSON.parse(box.dataset.reasons);
  waiting.textContent = why ? box.dataset.waits.replace("{n}", Math.round(seconds)).replace("{why}", reasons[why] ?? why) : "";
}

const log = document.getElementById("log");

function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function addLine(line) {
  const row = document.createElement("div");
  row.className = `log-line ${["warning", "error"].includes(line.level) ? line.level : ""}`;
  const at = document.createElement("time");
  const when = new Date(line.timestamp);
  if (!Number.isNaN(when.getTime())) {
    at.textContent = clock.format(when);
    at.title = line.timestamp;
  }
  const text = document.createElement("div");
  const event = document.createElement("span");
  event.textContent = shown(line.event ?? "");
  const rest = document.createElement("span");
  rest.className = "muted";
  rest.textContent = Object.entries(line).filter(([name]) => !HIDDEN.has(name)).map(([name, value]) => ` ${name}=${shown(value)}`).join("");
  text.append(event, rest);
  row.append(at, text);
  log.append(row);
  if (document.getElementById("follow").checked) log.scrollTop = log.scrollHeight;
}

if (box.dataset.isDone !== "true") {
  follow(`${box.dataset.run}/events`, {
    progress: showProgress,
    end: (_, stream) => {
      stream.close();
      refresh();
    },
  });
}
follow(log.dataset.log, { line: addLine, end: (_, stream) => stream.close() });
window.addEventListener("pagehide", () => streams.forEach((stream) => stream.close()));
