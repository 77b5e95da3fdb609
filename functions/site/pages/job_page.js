// A job: how far it is, its paths, its ticket and pushes, its history.

import { chart } from "./charts.js";
import { h } from "./elements.js";
import { chip, crumbs, empty, facts, figures, missing, optional, progress, tabs, time, timeline } from "./parts.js";
import { ask, askRecords, path, Refusal } from "./requests.js";
import { count, daysUntil, plural, words } from "./words.js";

const KINDS = { pushed: "good", failed: "bad", waiting: "warn", skipped: "plain" };

const LONGEST_FLOW = 400;

export function load({ parts: [id, tab] }, former) {
  const job = ask("GET", path(["jobs", id]));
  if (tab === "pushes") {
    return { job, pushes: optional(ask("GET", path(["jira", "pushes"], { jobId: id, limit: 50 }))).then((listed) => listed && listed.pushes) };
  }
  if (tab === "history") {
    return { job, history: optional(askRecords(["jobs", id, "history"], former?.history)) };
  }
  const days = (made) => Math.min(Math.max(2 - daysUntil(made), 60), LONGEST_FLOW); // all its life, as far back as flow goes
  return { job, flow: job.then(({ createdAt }) => optional(ask("GET", path(["jobs", id, "flow"], { days: days(createdAt) })))) };
}

export function show(place, data, tools) {
  const { job } = data;
  const [id, tab = ""] = place.parts;
  const address = `#/jobs/${encodeURIComponent(id)}`;
  const bodies = { pushes, history: ({ history }) => timeline(history, "job") };
  return [
    crumbs(["Jobs", "#/jobs"]),
    h("header", { class: "head" },
      h("div", { class: "grow" }, h("h1", {}, job.name), job.jiraTicketSummary && h("p", { class: "quiet" }, job.jiraTicketSummary)),
      job.jiraTicketKey && h("button", { class: "button", type: "button", key: "push", on: { click: (event) => tools.act(event, () => push(job)) } }, "Push now")),
    tabs("Parts of the job", { "": "Overview", pushes: "Ticket and pushes", history: "History" }[tab],
      [["Overview", address], ["Ticket and pushes", `${address}/pushes`], ["History", `${address}/history`]]),
    (bodies[tab] ?? overview)(data),
  ];
}

async function push(job) {
  const answer = await ask("POST", path(["jira", "push"]), { jobId: job.id }, { "Idempotency-Key": crypto.randomUUID() });
  if (!answer.success) {
    const details = [...(answer.details?.errorMessages ?? []), ...Object.values(answer.details?.errors ?? {})];
    throw new Refusal(200, [answer.error, ...details].join(" "));
  }
  return `Pushed to ${job.jiraTicketKey}.${answer.note ? ` ${answer.note}` : ""}`;
}

function overview({ job, flow }) {
  const { progress: far, paths } = job;
  return [
    h("section", { class: "card", key: "far", "aria-label": "Progress" },
      progress(far.completedSerials, job.goalQuantity - far.scrappedSerials, job.name),
      figures([["Completed", count(far.completedSerials)], ["In progress", count(far.inProgressSerials)], ["Scrapped", count(far.scrappedSerials)],
        ["Goal", count(job.goalQuantity)]])),
    h("section", { class: "card", key: "burn-up" }, flow ? burnUp(job, flow.days) : missing(flow, "The burn-up")),
    h("section", { class: "stack", key: "paths" }, h("h2", {}, "Paths"),
      paths.length ? h("ul", { class: "list" }, far.pathProgress.map(pathRow)) : empty("No paths yet", "A path comes from POST /api/paths.")),
  ];
}

function pathRow(each) {
  const id = encodeURIComponent(each.pathId);
  return h("li", { class: "row job", key: each.pathId },
    h("div", { class: "name" }, h("a", { class: "strong", href: `#/paths/${id}` }, each.pathName), h("p", { class: "quiet" }, plural(each.totalSerials, "serial number"))),
    h("div", { class: "tags" }, h("a", { class: "button secondary small", href: `#/scan/${id}`, "aria-label": `Scan parts of ${each.pathName}` }, "Scan")),
    h("div", { class: "how-far" }, progress(each.completedSerials, each.goalQuantity - each.scrappedSerials, each.pathName),
      h("p", { class: "quiet" }, `${count(each.completedSerials)} of ${count(each.goalQuantity - each.scrappedSerials)}`)));
}

function burnUp(job, all) {
  const days = all.slice(Math.max(0, all.findIndex((day) => day.total > 0) - 1)); // not the days before its first part
  if (!days.length) {
    return h("p", { class: "quiet" }, "Nothing has moved yet.");
  }
  // A day has what was completed on it: what stands today, less what came later, was there at its end.
  let after = job.progress.completedSerials;
  const completed = days.map(() => 0);
  for (let index = days.length - 1; index >= 0; index -= 1) {
    completed[index] = after;
    after -= days[index].completed;
  }
  const today = days.at(-1);
  return chart({
    title: "Burn-up",
    days: days.map((day) => day.date),
    summary: `${plural(job.progress.completedSerials, "part")} completed of ${count(today.goal ?? job.goalQuantity)}, over ${plural(days.length, "day")}`,
    series: [
      { label: "Goal", values: days.map((day) => day.goal ?? job.goalQuantity), colour: "--chart-goal", dashed: true },
      { label: "Completed", values: completed, colour: "--chart-1", area: true },
    ],
  });
}

function pushes({ job, pushes: listed }) {
  return [
    h("section", { class: "card", key: "ticket" }, h("h2", {}, "Ticket"),
      job.jiraTicketKey
        ? facts([["Key", job.jiraTicketKey], ["Summary", job.jiraTicketSummary], ["Part number", job.jiraPartNumber], ["Priority", job.jiraPriority],
          ["Epic", job.jiraEpicLink], ["Labels", job.jiraLabels?.join(", ")]])
        : h("p", { class: "quiet" }, "The job has no ticket. POST /api/jira/link gives it one.")),
    h("section", { class: "stack", key: "pushes" }, h("h2", {}, "Pushes of the last 90 days"), pushList(listed)),
  ];
}

function pushList(listed) {
  if (!listed) {
    return missing(listed, "The list of pushes");
  }
  return listed.length
    ? h("ul", { class: "list" }, listed.map((each) => h("li", { class: "row push", key: `${each.at}${each.ticketKey}` },
      h("div", { class: "tags" }, chip(words(each.status), KINDS[each.status])),
      h("div", { class: "name" }, h("p", {}, h("span", { class: "strong" }, each.ticketKey), " ", time(each.at), h("span", { class: "quiet" }, ` by ${each.by}`)),
        each.error && h("p", {}, each.error)))))
    : empty("No pushes yet", "“Push now” appends the status tables to the ticket.");
}
