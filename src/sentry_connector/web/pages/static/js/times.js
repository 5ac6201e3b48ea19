// Times in the viewer's zone, with UTC beside them; "5 minutes ago" that stays true.

const shown = document.documentElement.lang;
const language = navigator.languages.find((one) => one.split("-")[0] === shown) ?? shown; // en-GB and en-US write dates otherwise
const whole = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function ago(at) {
  const seconds = (at - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, one]) => Math.abs(seconds) >= one) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

export function showTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    if ("relative" in time.dataset) {
      time.textContent = ago(at);
    } else if (!time.dataset.shown) {
      time.title ||= time.textContent;
      time.textContent = whole.format(at);
      time.dataset.shown = "1";
    }
  }
}

showTimes();
setInterval(() => showTimes(), 30000);
document.addEventListener("htmx:after:swap", () => showTimes());
