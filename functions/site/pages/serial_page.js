// A serial number: where it stands, and everything that happened to it.

import { h } from "./elements.js";
import { chip, crumbs, empty, facts, optional, unavailable } from "./parts.js";
import { ask, path } from "./requests.js";
import { at, words } from "./words.js";

const KINDS = { completed: "good", scrapped: "bad", in_progress: "" };

export async function load({ parts: [id] }) {
  const [serial, history] = await Promise.all([ask("GET", path(["serials", id])), optional(ask("GET", path(["serials", id, "history"])))]);
  return { serial, history };
}

export function show(_place, { serial, history }) {
  return [
    crumbs(["Jobs", "#/jobs"], ["The job", `#/jobs/${encodeURIComponent(serial.jobId)}`], ["The path", `#/paths/${encodeURIComponent(serial.pathId)}`]),
    h("header", { class: "head" }, h("h1", { class: "grow" }, serial.id), chip(words(serial.status), KINDS[serial.status])),
    h("section", { class: "card", key: "facts" }, facts([
      ["Step", serial.status === "in_progress" ? `number ${serial.currentStepIndex + 1}` : null],
      ["Scrapped", serial.scrappedAt && at(serial.scrappedAt)], ["Reason", serial.scrapReason && words(serial.scrapReason)],
      ["Explanation", serial.scrapExplanation], ["Forced to completion", serial.forceCompletedAt && at(serial.forceCompletedAt)],
      ["Why", serial.forceCompletedReason], ["Made", at(serial.createdAt)], ["Last change", at(serial.updatedAt)]])),
    h("section", { class: "stack", key: "history" }, h("h2", {}, "History"), history ? entries(history.history ?? history) : unavailable("The history")),
  ];
}

function entries(history) {
  if (!history.length) {
    return empty("Nothing is recorded", "Its moves from now on are shown here.");
  }
  return h("ol", { class: "timeline" }, [...history].reverse().map((entry, index) => h("li", { key: `${history.length - index}` },
    h("p", {}, h("span", { class: "strong" }, words(entry.action)), " ", h("time", { class: "quiet", datetime: entry.at }, at(entry.at))),
    (entry.from || entry.to) && h("p", {}, [entry.from?.stepName, entry.to?.stepName].filter(Boolean).join(" → ")),
    h("p", { class: "quiet" }, [entry.operator, entry.by && `key ${entry.by}`].filter(Boolean).join(" · ")),
    entry.reason && h("p", {}, `Reason: ${words(entry.reason)}`),
    entry.bypassed?.length > 0 && h("p", { class: "quiet" }, `Passed over: ${entry.bypassed.map((step) => step.stepName).join(", ")}`))));
}
