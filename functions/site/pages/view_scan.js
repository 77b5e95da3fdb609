// Scan: a tablet's page. Choose a path, then scan; each answer is big, and no part moves twice by a doubled scan.

import { h } from "./elements.js";
import { crumbs, empty, requery } from "./parts.js";
import { ask, path, Refusal } from "./requests.js";
import { SCRAP_REASONS } from "./scrap_reasons.js";
import { count, plural, timeOfDay, words } from "./words.js";

const OPERATOR = "jobticket.operator";
const COUNTER = "jobticket.counter";
const DOUBLED_MS = 3000;
const KEPT = 12;
const ENDED = { completed: "It is completed already.", scrapped: "It is scrapped for good." };

const log = [];
let queue = Promise.resolve(); // a scanner can be faster than the network: one part after the other
let latest = { id: "", at: 0 };
const unsettled = new Map(); // serial number → the step from which it was to move, if neither an answer nor a look tells whether it did
let scrapping = false;
let typing = 0;
let redraw = () => {};

export function load({ parts: [id], query }) {
  if (id) {
    return { board: ask("GET", path(["paths", id])) };
  }
  const job = query.get("job");
  return job
    ? { job: ask("GET", path(["jobs", job])) }
    : { jobs: ask("GET", path(["jobs"], { search: query.get("search"), state: "open", limit: 50 })) };
}

export function arrive(main) {
  main.querySelector("#serial")?.focus();
}

export function show(place, data, tools) {
  redraw = tools.render;
  return data.board ? station(data.board) : data.job ? paths(data.job) : jobs(place, data.jobs);
}

// --- choosing -----------------------------------------------------------------------------------------------

function jobs(place, listed) {
  const search = (event) => {
    const text = event.target.value.trim();
    clearTimeout(typing);
    typing = setTimeout(() => requery(place, { search: text }), 300);
  };
  return [
    h("h1", {}, "Scan"),
    h("p", { class: "quiet" }, "Which job do the parts belong to?"),
    h("label", { class: "field", key: "search" }, "Name or ticket", h("input", { type: "search", value: place.query.get("search") ?? "", on: { input: search } })),
    listed.length
      ? h("ul", { class: "tiles" }, listed.map((job) => h("li", { key: job.id },
        h("a", { class: "tile", href: `#/scan?job=${encodeURIComponent(job.id)}` }, h("strong", {}, job.name), " ", h("span", {}, job.jiraTicketKey ?? "")))))
      : empty("No open job matches", "Search for a part of its name or its ticket's key."),
  ];
}

function paths(job) {
  return [
    crumbs(["All jobs", "#/scan"]),
    h("h1", {}, job.name),
    h("p", { class: "quiet" }, "Which path do you work on?"),
    job.paths.length
      ? h("ul", { class: "tiles" }, job.paths.map((each) => h("li", { key: each.id },
        h("a", { class: "tile", href: `#/scan/${encodeURIComponent(each.id)}` }, h("strong", {}, each.name), " ", h("span", {}, each.steps.map((step) => step.name).join(" → "))))))
      : empty("The job has no paths", "It needs one before parts can be scanned."),
  ];
}

// --- scanning -----------------------------------------------------------------------------------------------

function station(board) {
  const [newest, ...older] = log;
  return [
    crumbs(["Paths of the job", `#/scan?job=${encodeURIComponent(board.jobId)}`], ["Board", `#/paths/${encodeURIComponent(board.id)}`]),
    h("header", { class: "head" }, h("h1", { class: "grow" }, board.name), shift()),
    h("form", { class: scrapping ? "card scan scrapping" : "card scan", key: "scan", on: { submit: (event) => scanned(event, board) } },
      h("div", { class: "toolbar" },
        h("label", { class: "field grow" }, "Your name",
          h("input", { name: "operator", maxlength: 100, autocomplete: "off", value: sessionStorage.getItem(OPERATOR) ?? "", on: { change: keepOperator } })),
        h("fieldset", { class: "segments" }, h("legend", {}, "A scan"),
          [[false, "Moves"], [true, "Scraps"]].map(([value, label]) => h("label", {},
            h("input", { type: "radio", name: "what", value: String(value), checked: value === scrapping, on: { change: () => choose(value) } }), h("span", {}, label))))),
      scrapping && reasons(),
      h("div", { class: "toolbar entry", key: "entry" },
        h("label", { class: "field grow serial" }, scrapping ? "Scan the part to scrap" : "Scan or type a serial number",
          h("input", { id: "serial", name: "serial", maxlength: 60, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", enterkeyhint: "go" })),
        h("button", { class: "button go", type: "submit" }, scrapping ? "Scrap" : "Move"))),
    h("div", { class: `answer ${newest?.kind ?? ""}`, key: "answer", "aria-live": "assertive" },
      newest ? [h("p", { class: "id" }, newest.id), h("p", { class: "what" }, newest.text)] : h("p", { class: "what" }, "Ready to scan")),
    h("ol", { class: "board small", key: "board" }, board.distribution.map((step) => h("li", { class: "column", key: step.stepId }, h("p", { class: "step" }, step.stepName), h("p", { class: "strong" }, count(step.serialCount)))),
      h("li", { class: "column end", key: "completed" }, h("p", { class: "step" }, "Completed"), h("p", { class: "strong" }, count(board.completedCount)))),
    older.length > 0 && h("section", { class: "stack", key: "log" }, h("h2", {}, "Before"),
      h("ol", { class: "list" }, older.map((entry) => h("li", { class: "row", key: String(entry.number) },
        h("span", { class: `dot ${entry.kind}`, "aria-hidden": "true" }), h("a", { href: `#/serials/${encodeURIComponent(entry.id)}` }, entry.id), h("span", { class: "grow" }, entry.text), h("span", { class: "quiet" }, entry.time))))),
  ];
}

function reasons() {
  return h("div", { class: "toolbar", key: "reasons" },
    h("label", { class: "field" }, "Reason", h("select", { name: "reason" }, SCRAP_REASONS.map((each) => h("option", { value: each }, words(each))))),
    h("label", { class: "field grow" }, "Explanation", h("input", { name: "explanation", maxlength: 2000, autocomplete: "off" })));
}

function shift() {
  const { moved, scrapped } = counter();
  return h("p", { class: "shift" }, h("span", { class: "strong" }, `${plural(moved, "move")}, ${count(scrapped)} scrapped`), " in this shift ",
    h("button", { class: "button quiet small", type: "button", on: { click: () => { keepCounter({ moved: 0, scrapped: 0 }); redraw(); } } }, "Begin a new shift"));
}

function counter() {
  return JSON.parse(sessionStorage.getItem(COUNTER) ?? "null") ?? { moved: 0, scrapped: 0 };
}

function keepCounter(counted) {
  sessionStorage.setItem(COUNTER, JSON.stringify(counted));
}

function keepOperator(event) {
  sessionStorage.setItem(OPERATOR, event.target.value.trim());
}

function choose(value) {
  scrapping = value;
  redraw();
  document.getElementById("serial")?.focus();
}

function scanned(event, board) {
  event.preventDefault();
  const { serial, reason, explanation, operator, what } = event.target.elements;
  const id = serial.value.trim().toUpperCase();
  serial.value = "";
  serial.focus();
  if (!id) {
    return;
  }
  sessionStorage.setItem(OPERATOR, operator.value.trim());
  const by = operator.value.trim() ? { operator: operator.value.trim() } : {};
  const scrap = scrapping ? { reason: reason.value, ...(explanation.value.trim() && { explanation: explanation.value.trim() }), ...by } : null;
  scrapping = false; // scrapping is for good: it is chosen anew for each part
  what.value = "false";
  queue = queue.then(() => take(id, board, by, scrap));
}

async function take(id, board, by, scrap) {
  if (!scrap && id === latest.id && Date.now() - latest.at < DOUBLED_MS) {
    return tell(id, "warn", "Scanned twice: it moved once. Scan it again to move it on.");
  }
  try {
    const serial = await ask("GET", path(["serials", id]));
    if (serial.pathId !== board.id) {
      return tell(id, "bad", "It belongs to another path. Nothing was changed.");
    }
    const from = unsettled.get(id);
    if (unsettled.delete(id) && serial.currentStepIndex !== from) {
      return arrived(serial, board);
    }
    if (serial.status !== "in_progress") {
      return tell(id, "bad", ENDED[serial.status]); // asked to move it, the API says only that it stands elsewhere
    }
    return scrap ? await scrapOne(serial, scrap) : await moveOne(serial, board, by);
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
    return tell(id, "bad", inWords(error));
  }
}

async function moveOne(serial, board, by) {
  const from = serial.currentStepIndex;
  unsettled.set(serial.id, from);
  const moved = await ask("POST", path(["serials", serial.id, "advance"]), { fromStepIndex: from, ...by })
    .catch((error) => lookAfter(error, serial, (now) => now.currentStepIndex !== from));
  arrived(moved, board);
}

function arrived(serial, board) {
  unsettled.delete(serial.id);
  latest = { id: serial.id, at: Date.now() };
  const { moved, scrapped } = counter();
  keepCounter({ moved: moved + 1, scrapped });
  const step = board.steps.find((each) => each.order === serial.currentStepIndex);
  tell(serial.id, "good", step ? `Now at ${step.name}` : "Completed");
}

async function scrapOne(serial, scrap) {
  await ask("POST", path(["serials", serial.id, "scrap"]), scrap).catch((error) => lookAfter(error, serial, (now) => now.status === "scrapped"));
  const { moved, scrapped } = counter();
  keepCounter({ moved, scrapped: scrapped + 1 });
  tell(serial.id, "warn", `Scrapped: ${words(scrap.reason).toLowerCase()}`);
}

/** Without an answer, look whether it was done; never send it again. */
async function lookAfter(error, serial, isDone) {
  if (error.status === 0 || error.status >= 500) {
    const now = await ask("GET", path(["serials", serial.id])).catch(() => {
      throw new Refusal(0, "No answer. Scan it again once this device is connected: what is done already is not done twice.");
    });
    unsettled.delete(serial.id);
    if (isDone(now)) {
      return now;
    }
    throw new Refusal(error.status, "There was no answer, and it has not moved. Scan it again.");
  }
  unsettled.delete(serial.id);
  throw error;
}

function inWords(error) {
  if (error.status === 409) {
    return "Somebody else has moved it. Nothing was changed: look where it stands before you scan it again.";
  }
  if (error.status === 404) {
    return "There is no such serial number.";
  }
  return error.message;
}

function tell(id, kind, text) {
  log.unshift({ id, kind, text, time: timeOfDay(new Date()), number: Date.now() + Math.random() });
  log.splice(KEPT);
  redraw();
  refreshSoon();
}

let soon = 0;

/** Load the counts again once the scans pause. */
function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(() => window.dispatchEvent(new HashChangeEvent("hashchange")), 400);
}

// A touch beside the form must not lose the next scan.
document.addEventListener("click", (event) => {
  if (!event.target.closest("a, button, input, select, label, summary, [tabindex]")) {
    document.getElementById("serial")?.focus();
  }
});
window.addEventListener("focus", () => {
  if (document.activeElement === document.body) {
    document.getElementById("serial")?.focus();
  }
});
