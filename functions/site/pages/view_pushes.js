// Pushes: runs over time, why some failed, sites that are stopped, and the switch that pauses all.

import { h } from "./elements.js";
import { chip, empty, figures, missing, optional, time } from "./parts.js";
import { ask, path } from "./requests.js";
import { at, away, count, plural } from "./words.js";

const OUTCOMES = [["pushed", "Pushed"], ["skipped", "Skipped"], ["waiting", "Waiting"], ["failed", "Failed"]];
const TICKETS = 12;
const PAGES = 10; // of failures that are looked through for those of a run

const chosen = (runs, wanted) => runs.find((each) => each.run_id === wanted) ?? runs[0];

export function load({ parts: [wanted] }, former) {
  const operations = ask("GET", path(["operations"]));
  return { operations, failures: operations.then(({ runs }) => failuresOf(chosen(runs, wanted), former?.failures)) };
}

/** Return the failures of a run, newest first: those of before if they were all, and the run's figures have not changed. */
async function failuresOf(run, former) {
  const of = JSON.stringify(run ?? null);
  if (former?.of === of && former.isWhole) {
    return former;
  }
  const entries = [];
  let cursor = null;
  for (let pages = 0; run?.failed && pages < PAGES && (pages === 0 || cursor); pages += 1) {
    const page = await optional(ask("GET", path(["jira", "pushes"], { status: "failed", limit: 500, cursor })));
    if (!page) {
      return null;
    }
    entries.push(...page.pushes.filter((each) => each.runId === run.run_id));
    cursor = page.pushes.at(-1)?.at < run.at || entries.length >= run.failed ? null : page.next_cursor; // none failed before its run began
  }
  const isWhole = cursor !== null || entries.length >= (run?.failed ?? 0); // with a cursor left, more was too much
  return { of, entries, isWhole };
}

export function show({ parts: [wanted] }, { operations, failures }, tools) {
  const { runs } = operations;
  const run = chosen(runs, wanted);
  return [
    h("header", { class: "head" }, h("h1", { class: "grow" }, "Pushes"), pause(operations, tools)),
    stops(operations.stops, tools),
    runs.length ? [bars(runs, run), details(run, failures, tools)] : empty("No runs yet", "The schedule begins the first one, or POST /api/jira/push-all."),
  ];
}

function pause({ paused }, tools) {
  if (paused === undefined) {
    return null;
  }
  const set = async () => {
    await ask("PUT", path(["settings"]), { pushPaused: !paused });
    return paused ? "Scheduled pushes resume with the next run" : "Scheduled pushes are paused";
  };
  return [
    paused ? chip("Paused", "warn") : chip("Not paused", "good"),
    h("button", { class: "button secondary", type: "button", key: "pause", on: { click: (event) => tools.act(event, set) } }, paused ? "Go on" : "Pause all"),
  ];
}

function stops(stopped, tools) {
  if (!stopped.length) {
    return null;
  }
  return h("section", { class: "stack", key: "stops" }, h("h2", {}, "Stopped sites"),
    h("ul", { class: "list" }, stopped.map((each) => h("li", { class: "row", key: each.site },
      h("div", { class: "name grow" }, h("p", { class: "strong" }, each.site), h("p", {}, each.reason), each.until && h("p", { class: "quiet", title: at(each.until) }, `Goes on by itself ${away(each.until)}`)),
      h("button", {
        class: "button secondary small", type: "button", "aria-label": `Go on now with ${each.site}`,
        on: { click: (event) => tools.act(event, async () => {
          await ask("DELETE", path(["operations", "stops", each.site]));
          return `${each.site} goes on`;
        }) },
      }, "Go on now")))));
}

const total = (run) => OUTCOMES.reduce((sum, [name]) => sum + (run[name] ?? 0), 0);

function bars(runs, chosen) {
  const most = Math.max(1, ...runs.map(total));
  return h("section", { class: "card", key: "runs" }, h("h2", {}, "Runs"),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs, oldest first" },
      h("ol", { class: "runs" }, [...runs].reverse().map((run) => h("li", { key: run.run_id },
        h("a", {
          href: `#/pushes/${encodeURIComponent(run.run_id)}`, "aria-current": run === chosen ? "true" : null,
          title: at(run.at), "aria-label": `Run of ${at(run.at)}: ${OUTCOMES.map(([name, label]) => `${count(run[name])} ${label.toLowerCase()}`).join(", ")}`,
        }, h("span", { class: "stackbar", "aria-hidden": "true" }, [...OUTCOMES].reverse().map(([name]) =>
          h("span", { class: name, style: { "--share": `${((run[name] ?? 0) / most) * 100}%` } })))))))),
    h("ul", { class: "legend" }, OUTCOMES.map(([name, label]) => h("li", {}, h("span", { class: `swatch ${name}` }), label))));
}

function details(run, failures, tools) {
  return h("section", { class: "stack", key: "run" },
    h("div", {}, h("h2", {}, "Run of ", at(run.at)), h("p", { class: "quiet" }, time(run.at), ` by ${run.by}`)),
    h("div", { class: "card" }, figures(OUTCOMES.map(([name, label]) => [label, count(run[name])]))),
    run.failed > 0 && (failures ? groups(run, failures.entries, tools) : missing(failures, "The list of failures, which needs the scope “jobs”,")));
}

function groups(run, failures, tools) {
  const byReason = new Map();
  for (const each of failures) {
    byReason.set(each.error ?? "", [...(byReason.get(each.error ?? "") ?? []), each]);
  }
  const retry = (event, what) => tools.act(event, async () => {
    const { retried, complete } = await ask("POST", path(["jira", "pushes", "retry"]), { run_id: run.run_id, ...what });
    return `${plural(retried, "push", "pushes")} will be tried again${complete ? "" : "; press again for the rest"}`;
  });
  const others = run.failed - failures.length;
  return [others > 0 && h("p", { class: "quiet", key: "others" }, `Not listed, because newer pushes have failed since: ${plural(others, "more failure")}.`),
    h("ul", { class: "stack plain", key: "groups" }, [...byReason].map(([reason, group]) => h("li", { class: "card stack", key: reason },
    h("header", { class: "head" }, h("div", { class: "grow" }, h("h3", {}, reason || "No reason is known"), h("p", { class: "quiet" }, plural(group.length, "ticket"))),
      h("button", {
        class: "button secondary small", type: "button", "aria-label": `Retry all: ${reason}`,
        on: { click: (event) => retry(event, { error: reason }) },
      }, "Retry all")),
    h("ul", { class: "list tight" }, group.slice(0, TICKETS).map((each) => h("li", { class: "row", key: each.jobId },
      h("a", { class: "grow", href: `#/jobs/${encodeURIComponent(each.jobId)}/pushes` }, each.ticketKey),
      h("button", {
        class: "button quiet small", type: "button", "aria-label": `Retry ${each.ticketKey}`,
        on: { click: (event) => retry(event, { job_ids: [each.jobId] }) },
      }, "Retry")))),
    group.length > TICKETS && h("p", { class: "quiet" }, `and ${count(group.length - TICKETS)} more`))))];
}
