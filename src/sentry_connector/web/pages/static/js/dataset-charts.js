// Charts, each with the table that it is drawn from: asked for when they come into view, drawn in the theme's colours.

import { ask, Refused } from "./api.js";

const language = document.documentElement.lang;
const numbers = new Intl.NumberFormat(language);
const drawn = new Map();

const WIDTHS = {
  hour: { dateStyle: "short", timeStyle: "short" },
  day: { dateStyle: "medium" },
  week: { dateStyle: "medium" },
  month: { year: "numeric", month: "short" },
  year: { year: "numeric" },
};

/** What is drawn: names and numbers, in their order. */
function pointsOf(figure, data) {
  const timeline = data.kind === "timeline";
  const format = new Intl.DateTimeFormat(language, WIDTHS[data.width] ?? WIDTHS.day);
  const points = data.bars.map(({ value, rows, label }) => ({
    name: timeline ? format.format(new Date(value)) : value === null ? figure.dataset.none : (label ?? String(value)),
    rows,
  }));
  return points;
}

function colours() {
  const style = getComputedStyle(document.body);
  const of = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
  return { accent: of("--accent"), text: of("--text"), muted: of("--muted"), line: of("--line"), font: style.fontFamily };
}

const shortened = (text) => (text.length > 28 ? `${text.slice(0, 27)}…` : text);

function optionsOf(data, points) {
  const { accent, text, muted, line, font } = colours();
  const names = { type: "category", data: points.map((one) => one.name), axisLine: { lineStyle: { color: line } }, axisTick: { show: false } };
  const values = { type: "value", minInterval: 1, splitLine: { lineStyle: { color: line } }, axisLabel: { color: muted, formatter: (value) => numbers.format(value) } };
  const timeline = data.kind === "timeline";
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    textStyle: { fontFamily: font, color: text },
    grid: { left: 8, right: 24, top: 12, bottom: 8, containLabel: true },
    tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, valueFormatter: (value) => numbers.format(value) },
    xAxis: timeline ? { ...names, axisLabel: { color: muted, hideOverlap: true } } : values,
    yAxis: timeline ? values : { ...names, inverse: true, axisLabel: { color: text, formatter: shortened } },
    series: [{ type: "bar", data: points.map((one) => one.rows), itemStyle: { color: accent, borderRadius: 2 }, barMaxWidth: 22 }],
  };
}

function tabulate(figure, points) {
  figure.querySelector("tbody").replaceChildren(
    ...points.map(({ name, rows }) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.className = "wrap";
      head.textContent = name;
      const cell = document.createElement("td");
      cell.className = "number";
      cell.textContent = numbers.format(rows);
      row.append(head, cell);
      return row;
    }),
  );
}

function made(place) {
  const chart = window.echarts.init(place, null, { renderer: "canvas" });
  new ResizeObserver(() => chart.resize()).observe(place);
  return chart;
}

async function draw(figure) {
  const place = figure.querySelector(".chart");
  try {
    const data = await ask("GET", figure.dataset.chart);
    const points = pointsOf(figure, data);
    const others = data.rest > 0 ? [{ name: figure.dataset.rest, rows: data.rest }] : []; // a bar that would dwarf the rest
    const chart = drawn.get(figure)?.chart ?? made(place);
    chart.setOption(optionsOf(data, points));
    tabulate(figure, [...points, ...others]);
    drawn.set(figure, { chart, data, points });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    place.removeAttribute("role");
    place.textContent = figure.dataset.refused + error.problem.title;
  }
}

const inView = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((one) => one.isIntersecting)) {
    inView.unobserve(entry.target);
    draw(entry.target);
  }
});

/** Those that are there; the first run brings them. */
function watch() {
  for (const figure of document.querySelectorAll("[data-chart]")) if (!drawn.has(figure)) inView.observe(figure);
}

watch();

document.addEventListener("ran", () => {
  for (const figure of drawn.keys()) draw(figure);
  watch();
});

function redraw() {
  for (const { chart, data, points } of drawn.values()) chart.setOption(optionsOf(data, points));
}
document.addEventListener("theme", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

function save(name, url) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const inert = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-saves]");
  const found = button && drawn.get(button.closest("figure"));
  if (!found) return;
  if (button.dataset.saves === "png") {
    save(`${found.data.title}.png`, found.chart.getDataURL({ pixelRatio: 2, backgroundColor: getComputedStyle(button.closest("figure")).backgroundColor }));
  } else {
    const lines = found.points.map(({ name, rows }) => `${cell(inert(name))},${rows}`);
    save(`${found.data.title}.csv`, URL.createObjectURL(new Blob([`value,number\r\n${lines.join("\r\n")}\r\n`], { type: "text/csv" })));
  }
});
