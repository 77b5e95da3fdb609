// A serial number: where it stands, and everything that happened to it.

import { h } from "./elements.js";
import { chip, crumbs, facts, optional, timeline } from "./parts.js";
import { ask, askRecords, path } from "./requests.js";
import { at, words } from "./words.js";

const KINDS = { completed: "good", scrapped: "bad", in_progress: "" };

export function load({ parts: [id] }, former) {
  return { serial: ask("GET", path(["serials", id])), history: optional(askRecords(["serials", id, "history"], former?.history)) };
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
    h("section", { class: "stack", key: "history" }, h("h2", {}, "History"), timeline(history, "part", move)),
  ];
}

function move(entry) {
  return [
    (entry.from || entry.to) && h("p", {}, [entry.from?.stepName, entry.to?.stepName].filter(Boolean).join(" → ")),
    entry.reason && h("p", {}, `Reason: ${words(entry.reason)}`),
    entry.bypassed?.length > 0 && h("p", { class: "quiet" }, `Passed over: ${entry.bypassed.map((step) => step.stepName).join(", ")}`),
  ];
}
