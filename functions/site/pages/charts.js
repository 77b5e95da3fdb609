// Charts over days: lines and stacked areas, drawn by uPlot, each with its numbers as a table beside it.

import { h } from "./elements.js";
import { count } from "./words.js";

const HEIGHT = 240;
const PALETTE = ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Set();

dark.addEventListener("change", () => drawn.forEach((host) => paint(host, true)));
// The library comes beside the page, which does not wait for it.
document.getElementById("charts").addEventListener("load", () => drawn.forEach((host) => paint(host)));

/** The colour of the n-th series, as the name of a custom property. */
export const colour = (index) => PALETTE[index % PALETTE.length];

/**
 * A chart over days.
 *
 * `days` are dates (YYYY-MM-DD); each series has a label, values, a colour, and `area` or `dashed`.
 * A stacked chart adds each series to those before it.
 */
export function chart({ title, days, series, stacked = false, summary }) {
  const spec = { days, series, stacked };
  return h(
    "figure",
    { class: "chart", key: title },
    h("figcaption", {}, title),
    h("div", { class: "canvas", role: "img", "aria-label": `${title}: ${summary}`, draw: (host) => follow(host, spec) }),
    h("ul", { class: "legend" }, series.map((each) =>
      h("li", {}, h("span", { class: "swatch", style: { "--swatch": `var(${each.colour})` } }), each.label))),
    table(title, days, series),
  );
}

function table(title, days, series) {
  const rows = days.map((day, index) => ({ day, values: series.map((each) => each.values[index]) })).reverse();
  return h(
    "details",
    { class: "numbers" },
    h("summary", {}, "Numbers as a table"),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}, numbers` },
      h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Day"), series.map((each) => h("th", { scope: "col" }, each.label)))),
        h("tbody", {}, rows.map(({ day, values }) =>
          h("tr", {}, h("th", { scope: "row" }, day), values.map((value) => h("td", {}, value === null ? "–" : count(value)))))))),
  );
}

function follow(host, spec) {
  host.spec = spec;
  if (!host.observer) {
    host.observer = new ResizeObserver(() => paint(host));
    host.observer.observe(host);
    drawn.add(host);
  } else {
    paint(host);
  }
}

function paint(host, anew = false) {
  if (!host.isConnected) {
    host.observer.disconnect();
    drawn.delete(host);
    host.plot?.destroy();
    host.plot = null;
    return;
  }
  const width = host.clientWidth;
  if (!width || !window.uPlot) {
    return;
  }
  const shape = JSON.stringify([host.spec.series.map(({ label, colour: name }) => [label, name]), host.spec.stacked]);
  const data = columns(host.spec);
  if (host.plot && host.shape === shape && !anew) {
    if (host.plot.width !== width) {
      host.plot.setSize({ width, height: HEIGHT });
    }
    host.plot.setData(data);
    return;
  }
  host.plot?.destroy();
  host.shape = shape;
  host.plot = new window.uPlot(options(host, width), data, host);
}

function columns({ days, series, stacked }) {
  const times = days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
  if (!stacked) {
    return [times, ...series.map((each) => each.values)];
  }
  const sums = days.map(() => 0);
  const layers = series.map((each) => each.values.map((value, index) => (sums[index] += value ?? 0)));
  return [times, ...layers.reverse()]; // the highest first: the lower ones are drawn over it
}

function options(host, width) {
  const style = getComputedStyle(host);
  const of = (name) => style.getPropertyValue(name).trim();
  const series = host.spec.stacked ? [...host.spec.series].reverse() : host.spec.series;
  const axis = { stroke: of("--quiet"), grid: { stroke: of("--line"), width: 1 }, ticks: { stroke: of("--line"), width: 1 }, font: "12px system-ui" };
  return {
    width,
    height: HEIGHT,
    tzDate: (time) => window.uPlot.tzDate(new Date(time * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, Math.ceil(most * 1.08))] } },
    axes: [
      { ...axis, values: [[86400 * 28, "{MMM}", null, null, null, null, null, null, 1], [86400, "{D} {MMM}", null, null, null, null, null, null, 1]], space: 64 },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000] },
    ],
    series: [{}, ...series.map((each) => ({
      label: each.label,
      stroke: of(each.colour),
      width: host.spec.stacked ? 1 : 2,
      dash: each.dashed ? [6, 5] : undefined,
      fill: host.spec.stacked ? of(each.colour) : each.area ? `${of(each.colour)}22` : undefined,
      points: { show: each.values.length < 2 },
    }))],
  };
}
