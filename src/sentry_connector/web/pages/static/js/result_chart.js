// A result as lines or bars. ECharts is loaded when the first chart is wanted, and draws on a canvas: no text becomes HTML.

import { isNumber, isTime, textOf } from "./result.js";

function loaded(address) {
  if (window.echarts) return Promise.resolve(window.echarts);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", () => resolve(window.echarts));
    script.addEventListener("error", () => reject(new Error(address)));
    document.head.append(script);
  });
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What a CSS variable with light-dark() stands for now: only a property of an element says. */
function shownColour(name) {
  const probe = document.createElement("span");
  probe.style.color = colour(name);
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * Draw results.
 * @param {object} parts drawing, kind, x, y: where it is drawn, and three menus.
 * @param {string} address of ECharts.
 * @param {object} words line, bar, lines, bars.
 */
export function chartIn({ drawing, kind, x, y }, address, words) {
  let answer = null;
  let chart = null;

  function offer(menu, options, chosen) {
    menu.replaceChildren(...options.map(([value, label]) => new Option(label, value, value === chosen, value === chosen)));
  }

  async function draw() {
    if (!answer || !answer.columns.length) return;
    const echarts = await loaded(address);
    chart ??= echarts.init(drawing);
    const across = answer.columns[Number(x.value)];
    const up = answer.columns[Number(y.value)];
    const values = answer.rows.map((row) => [row[Number(x.value)], row[Number(y.value)]]);
    const time = isTime(across);
    const [text, line, accent] = ["--text", "--line", "--accent"].map(shownColour);
    const axis = { axisLabel: { color: text }, axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } } };
    chart.setOption({
      animation: false,
      useUTC: true,
      color: [accent],
      grid: { left: 16, right: 16, top: 24, bottom: 8, containLabel: true },
      tooltip: { trigger: "axis", renderMode: "richText" },
      xAxis: { type: time ? "time" : isNumber(across) && kind.value === "line" ? "value" : "category", name: "", ...axis },
      yAxis: { type: "value", ...axis },
      series: [{
        type: kind.value,
        name: up.name,
        showSymbol: values.length < 200,
        data: values.map(([along, height]) => [along === null ? "NULL" : time ? along : textOf(along), height === null ? null : Number(height)]),
      }],
    }, true);
    drawing.setAttribute("aria-label", words[kind.value].replace("{y}", up.name).replace("{x}", across.name));
  }

  for (const menu of [kind, x, y]) menu.addEventListener("change", draw);
  new ResizeObserver(() => chart?.resize()).observe(drawing);
  document.addEventListener("theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  return {
    /** Choose what the result looks like, and say whether there is anything to draw. */
    take(result) {
      answer = result;
      const columns = result.columns.map((one, index) => [String(index), one.name]);
      const numbers = columns.filter(([index]) => isNumber(result.columns[Number(index)]));
      const along = columns.find(([index]) => isTime(result.columns[Number(index)])) ?? columns.find((one) => !numbers.includes(one)) ?? columns[0];
      const up = numbers.find((one) => one !== along) ?? numbers[0];
      if (!up || !result.rows.length) return false;
      offer(kind, [["line", words.lines], ["bar", words.bars]], isTime(result.columns[Number(along[0])]) ? "line" : "bar");
      offer(x, columns, along[0]);
      offer(y, numbers, up[0]);
      return true;
    },
    draw,
  };
}
