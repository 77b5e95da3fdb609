// The list of jobs, searched by name or ticket.

import { h } from "./elements.js";
import { chip, empty, progress, requery } from "./parts.js";
import { ask, path } from "./requests.js";
import { count, plural } from "./words.js";

const PAGE = 50;
const MOST = 500;
const STATES = [["", "All"], ["open", "Open"], ["done", "Done"]];
let typing = 0;

export async function load({ query }) {
  const limit = Math.min(Number(query.get("limit")) || PAGE, MOST);
  const jobs = await ask("GET", path(["jobs"], { search: query.get("search"), state: query.get("state"), limit }));
  return { jobs, limit };
}

export function show(place, { jobs, limit }) {
  return [
    h("h1", {}, "Jobs"),
    tools(place),
    jobs.length ? h("ul", { class: "list" }, jobs.map(row)) : nothing(place),
    jobs.length === limit && limit < MOST &&
      h("button", { class: "button secondary", type: "button", on: { click: () => requery(place, { limit: Math.min(limit + PAGE, MOST) }) } }, "Show more"),
  ];
}

function tools(place) {
  const state = place.query.get("state") ?? "";
  const search = (event) => {
    const text = event.target.value;
    clearTimeout(typing);
    typing = setTimeout(() => requery(place, { search: text.trim(), limit: "" }), 300);
  };
  return h("form", { class: "toolbar", role: "search", key: "tools", on: { submit: (event) => event.preventDefault() } },
    h("label", { class: "field grow" }, "Name or ticket",
      h("input", { type: "search", maxlength: 255, value: place.query.get("search") ?? "", on: { input: search } })),
    h("fieldset", { class: "segments" },
      h("legend", {}, "State"),
      STATES.map(([value, label]) => h("label", {},
        h("input", { type: "radio", name: "state", value, checked: value === state, on: { change: () => requery(place, { state: value, limit: "" }) } }),
        h("span", {}, label)))));
}

function row(job) {
  const done = job.progress?.completedSerials;
  const goal = job.goalQuantity - (job.progress?.scrappedSerials ?? 0);
  return h("li", { class: "row job", key: job.id },
    h("div", { class: "name" },
      h("a", { class: "strong", href: `#/jobs/${encodeURIComponent(job.id)}` }, job.name),
      h("p", { class: "quiet" }, job.jiraTicketSummary)),
    h("div", { class: "tags" }, job.jiraTicketKey && chip(job.jiraTicketKey), job.jiraPriority && chip(job.jiraPriority, "plain")),
    h("div", { class: "how-far" },
      done === undefined
        ? h("p", { class: "quiet" }, `Goal: ${plural(job.goalQuantity, "part")}`)
        : [progress(done, goal, job.name), h("p", { class: "quiet" }, `${count(done)} of ${plural(goal, "part")}`)]));
}

function nothing(place) {
  const asked = place.query.get("search") || place.query.get("state");
  return asked
    ? empty("No job is like that", "Search for a part of its name or its ticket's key, or show all states.")
    : empty("No jobs yet", "A job comes from POST /api/jobs, or from a ticket by POST /api/jira/link.");
}
