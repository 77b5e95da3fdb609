// A path as a board, its cumulative flow, and a way to one serial number.

import { chart, colour } from "./charts.js";
import { h } from "./elements.js";
import { chip, crumbs, missing, optional } from "./parts.js";
import { ask, path } from "./requests.js";
import { count, plural } from "./words.js";

const DAYS = [7, 30, 90, 365];

const daysOf = ({ query }) => Number(query.get("days")) || 30;

export function load(place) {
  const [id] = place.parts;
  return { board: ask("GET", path(["paths", id])), flow: optional(ask("GET", path(["paths", id, "flow"], { days: daysOf(place) }))) };
}

export function show(place, { board, flow }) {
  const days = daysOf(place);
  return [
    crumbs(["Jobs", "#/jobs"], ["The job", `#/jobs/${encodeURIComponent(board.jobId)}`]),
    h("header", { class: "head" },
      h("div", { class: "grow" }, h("h1", {}, board.name),
        h("p", { class: "quiet" }, `${board.advancementMode === "strict" ? "Strict: step by step" : "Flexible: steps may be passed over"} · goal ${plural(board.goalQuantity, "part")}`)),
      h("a", { class: "button", href: `#/scan/${encodeURIComponent(board.id)}` }, "Scan parts")),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Board" }, columns(board)),
    h("section", { class: "card", key: "flow" },
      h("nav", { class: "tabs small", "aria-label": "Days shown" }, h("ul", {}, DAYS.map((each) =>
        h("li", {}, h("a", { href: `#/paths/${encodeURIComponent(place.parts[0])}?days=${each}`, "aria-current": each === days ? "page" : null }, `${each} days`))))),
      flow ? cumulative(board, flow.days) : missing(flow, "The cumulative flow")),
    h("form", { class: "toolbar card", key: "find", on: { submit: find } },
      h("label", { class: "field grow" }, "Find a serial number", h("input", { name: "serial", autocomplete: "off", autocapitalize: "characters", placeholder: "SN-00001", required: true })),
      h("button", { class: "button secondary", type: "submit" }, "Show its history")),
  ];
}

function find(event) {
  event.preventDefault();
  location.hash = `#/serials/${encodeURIComponent(event.target.elements.serial.value.trim().toUpperCase())}`;
}

function columns(board) {
  const most = Math.max(1, board.completedCount, ...board.distribution.map((step) => step.serialCount));
  const bar = (value) => h("span", { class: "fill", "aria-hidden": "true", style: { "--share": `${(value / most) * 100}%` } });
  return h("ol", { class: "board" },
    board.distribution.map((step) => h("li", { class: step.isBottleneck ? "column bottleneck" : "column", key: step.stepId },
      h("p", { class: "strong step" }, step.stepName), h("p", { class: "quiet" }, step.location),
      h("p", { class: "number" }, count(step.serialCount)), bar(step.serialCount),
      step.isBottleneck && chip("Bottleneck", "warn"))),
    h("li", { class: "column end", key: "completed" }, h("p", { class: "strong step" }, "Completed"), h("p", { class: "number" }, count(board.completedCount)), bar(board.completedCount)),
    h("li", { class: "column end", key: "scrapped" }, h("p", { class: "strong step" }, "Scrapped"), h("p", { class: "number" }, count(board.scrappedCount)), bar(board.scrappedCount)));
}

function cumulative(board, days) {
  let after = board.completedCount;
  const completed = days.map(() => 0);
  for (let index = days.length - 1; index >= 0; index -= 1) {
    completed[index] = after;
    after -= days[index].completed;
  }
  const steps = [...board.steps].reverse().map((step, index) => ({
    label: step.name,
    values: days.map((day) => day.standing[step.id] ?? 0),
    colour: colour(index + 1),
  }));
  return chart({
    title: "Cumulative flow",
    days: days.map((day) => day.date),
    stacked: true,
    summary: `${plural(board.completedCount, "part")} completed, ${plural(board.distribution.reduce((sum, step) => sum + step.serialCount, 0), "part")} on the way`,
    series: [{ label: "Completed", values: completed, colour: colour(0) }, ...steps],
  });
}
