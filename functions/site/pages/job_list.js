// The list of jobs, searched by name or ticket.

import { h } from "./elements.js";
import { chip, empty, progress, requery } from "./parts.js";
import { askPage, path } from "./requests.js";
import { count, plural } from "./words.js";

const PAGE = 50;
const STATES = [["open", "Open"], ["done", "Done"]];
let typing = 0;
let further = { of: "", begun: false, jobs: [], next: null }; // what "Show more" has added: it is not loaded again

function asked({ query }) {
  return { search: query.get("search"), state: query.get("state") ?? "open", limit: PAGE };
}

export const load = (place) => ({ list: list(place) });

async function list(place) {
  const of = JSON.stringify(asked(place));
  const { entries, next } = await askPage(path(["jobs"], asked(place)));
  if (further.of !== of || !further.begun) {
    further = { of, begun: false, jobs: [], next };
  }
  const known = new Set(entries.map((job) => job.id));
  return { jobs: [...entries, ...further.jobs.filter((job) => !known.has(job.id))], next: further.next };
}

async function more(place) {
  const { entries, next } = await askPage(path(["jobs"], { ...asked(place), cursor: further.next }));
  further = { ...further, begun: true, jobs: [...further.jobs, ...entries], next };
  return entries.length ? `${plural(entries.length, "job")} more` : "None of the jobs read so far matches";
}

export function show(place, { list: { jobs, next } }, does) {
  return [
    h("h1", {}, "Jobs"),
    tools(place),
    jobs.length ? h("ul", { class: "list" }, jobs.map(row)) : nothing(place, next),
    next && h("button", { class: "button secondary", type: "button", key: "more", on: { click: (event) => does.act(event, () => more(place)) } }, "Look further"),
  ];
}

function tools(place) {
  const { state } = asked(place);
  const search = (event) => {
    const text = event.target.value;
    clearTimeout(typing);
    typing = setTimeout(() => requery(place, { search: text.trim() }), 300);
  };
  return h("form", { class: "toolbar", role: "search", key: "tools", on: { submit: (event) => event.preventDefault() } },
    h("label", { class: "field grow" }, "Name or ticket",
      h("input", { type: "search", maxlength: 255, value: place.query.get("search") ?? "", on: { input: search } })),
    h("fieldset", { class: "segments" },
      h("legend", {}, "State"),
      STATES.map(([value, label]) => h("label", {},
        h("input", { type: "radio", name: "state", value, checked: value === state, on: { change: () => requery(place, { state: value }) } }),
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

function nothing(place, next) {
  if (next) {
    return empty("None so far", "“Look further” looks at the next 200 jobs.");
  }
  return place.query.get("search") || place.query.get("state")
    ? empty("No job matches", "Search for a part of its name or its ticket's key, or among the others.")
    : empty("No open jobs", "A job comes from POST /api/jobs, or from a ticket by POST /api/jira/link.");
}
