// The console: one page, one key, one view at a time. A view loads its data again every five seconds.

import { h, patch } from "./elements.js";
import { ask, path, Refusal, savedKey, saveKey } from "./requests.js";
import { timeOfDay } from "./words.js";

const SECONDS = 5;
const SCOPES = "jobticket.scopes";
const VIEWS = {
  jobs: { label: "Jobs", scope: "jobs", module: () => import("./view_jobs.js") },
  scan: { label: "Scan", scope: "jobs", module: () => import("./view_scan.js") },
  pushes: { label: "Pushes", scope: "admin", module: () => import("./view_pushes.js") },
  connections: { label: "Connections", scope: "tokens", module: () => import("./view_connections.js") },
  anomalies: { label: "Anomalies", scope: "ticketing", module: () => import("./view_anomalies.js") },
  queues: { label: "Queues", scope: "admin", module: () => import("./view_queues.js") },
};
/** A cheap request of each scope: its answer tells whether the key has it. */
const PROBES = {
  jobs: path(["jobs"], { limit: 1 }),
  tokens: path(["backend", "connections"], { limit: 1 }),
  ticketing: path(["anomalies"], { size: 1 }),
  admin: path(["operations"]),
};

const main = document.getElementById("view");
const nav = document.getElementById("views");
const leave = document.getElementById("leave");
const freshness = document.getElementById("freshness");
const said = document.getElementById("said");
const problem = document.getElementById("problem");

let turn = 0; // counts what is shown: a late answer of an earlier view is dropped
let shown = null;
let timer = 0;
let acting = 0;
let quiet = 0;

// --- what is asked for --------------------------------------------------------------------------------------

function place() {
  const [route, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = route.split("/").filter(Boolean).map(decoded);
  return { view: parts[0] ?? "", parts: parts.slice(1), query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function scopes() {
  return (sessionStorage.getItem(SCOPES) ?? "").split(" ").filter(Boolean);
}

const allowed = () => Object.keys(VIEWS).filter((name) => scopes().includes(VIEWS[name].scope));

// --- the key ------------------------------------------------------------------------------------------------

function signIn(reason = "") {
  turn += 1;
  clearTimeout(timer);
  shown = null;
  document.title = "Jobticket console";
  leave.hidden = true;
  freshness.textContent = "";
  patch(nav);
  patch(main, h("section", { class: "card sign-in", key: "sign-in" },
    h("h1", {}, "Open the console"),
    h("p", { class: "quiet" }, `A key is kept for this tab alone, and sent only to ${location.host}. What you see follows its scopes.`),
    h("form", { class: "stack", on: { submit: tryKey } },
      h("label", { class: "field" }, "API key",
        h("input", { name: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, autofocus: true })),
      h("p", { class: "bad-text", role: "alert" }, reason),
      h("button", { class: "button", type: "submit" }, "Open"))));
  main.querySelector("input").focus();
}

async function tryKey(event) {
  event.preventDefault();
  const button = event.target.querySelector("button");
  const key = event.target.elements.key.value.trim();
  button.disabled = true;
  const statuses = await Promise.all(Object.entries(PROBES).map(([scope, probe]) => status(probe, key).then((code) => [scope, code])));
  button.disabled = false;
  if (statuses.some(([, code]) => code === 401)) {
    return signIn("This key is not known here.");
  }
  if (statuses.every(([, code]) => code === 0)) {
    return signIn("No answer. Is this device connected?");
  }
  saveKey(key);
  sessionStorage.setItem(SCOPES, statuses.filter(([, code]) => code !== 403).map(([scope]) => scope).join(" "));
  event.target.reset();
  return navigate();
}

async function status(probe, key) {
  try {
    await ask("GET", probe, undefined, {}, key);
    return 200;
  } catch (error) {
    return error.status;
  }
}

// --- showing a view -----------------------------------------------------------------------------------------

async function navigate() {
  if (!savedKey()) {
    return signIn();
  }
  const wanted = place();
  const open = allowed();
  const name = wanted.view || open[0];
  turn += 1;
  const mine = turn;
  clearTimeout(timer);
  leave.hidden = false;
  showNavigation(name === "paths" || name === "serials" ? "jobs" : name);
  const view = VIEWS[name] ?? (["paths", "serials"].includes(name) ? VIEWS.jobs : null);
  if (!view) {
    return explain("There is no such view", "Choose one above.");
  }
  if (!open.includes(Object.keys(VIEWS).find((each) => VIEWS[each] === view))) {
    return explain("This key cannot open this view", `It needs a key with the scope “${view.scope}”.`);
  }
  const module = await view.module();
  if (mine !== turn) {
    return undefined;
  }
  const same = shown?.module === module && shown.place.parts.join("/") === wanted.parts.join("/") && shown.place.view === name;
  shown = { module, place: { ...wanted, view: name }, data: same ? shown.data : null };
  if (!same) {
    patch(main, loading(view.label));
    scrollTo(0, 0);
  }
  return refresh(!same);
}

function loading(label) {
  return h("section", { class: "stack", key: "loading", "aria-busy": "true" },
    h("h1", {}, label), h("div", { class: "card bone" }), h("div", { class: "card bone" }));
}

function showNavigation(current) {
  patch(nav, h("ul", {}, allowed().map((name) =>
    h("li", { key: name }, h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, VIEWS[name].label)))));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

async function refresh(arrived = false) {
  const mine = turn;
  clearTimeout(timer);
  const view = shown;
  try {
    const data = await view.module.load(view.place, view.data);
    if (mine !== turn || acting) {
      return;
    }
    view.data = data;
    render();
    freshness.textContent = `Updated ${timeOfDay(new Date())}`;
    if (arrived) {
      view.module.arrive?.(main);
    }
  } catch (error) {
    if (mine !== turn) {
      return;
    }
    refused(error, view);
  } finally {
    if (mine === turn) {
      schedule();
    }
  }
}

function render() {
  const { module, place: where, data } = shown;
  patch(main, h("div", { class: "stack view", key: `${where.view}/${where.parts.join("/")}` }, module.show(where, data, tools)));
  document.title = `${main.querySelector("h1")?.textContent ?? "Console"} – Jobticket`;
}

function refused(error, view) {
  if (!(error instanceof Refusal)) {
    throw error;
  }
  if (error.status === 401) {
    saveKey("");
    signIn("The key is not known any more.");
  } else if (view.data) {
    freshness.textContent = `Not up to date: ${error.message}`;
  } else if (error.status === 404 && error.message === "Not Found") {
    explain("Not available in this deployment", "This deployment does not have the route that this view shows.", false);
  } else {
    explain(error.status === 404 ? "Not found" : "This cannot be shown for now", error.message, false);
  }
}

function explain(title, text, isFinal = true) {
  if (isFinal) {
    shown = null;
  }
  document.title = `${title} – Jobticket`;
  patch(main, h("section", { class: "card empty", key: "explanation" }, h("h1", {}, title), h("p", {}, text)));
}

function schedule() {
  clearTimeout(timer);
  if (shown && !document.hidden) {
    timer = setTimeout(refresh, SECONDS * 1000);
  }
}

// --- what views may do --------------------------------------------------------------------------------------

const tools = {
  refresh,
  render,
  say,
  complain,
  /** Do something, one at a time; show the outcome, and load the view again. */
  async act(event, work) {
    const button = event.currentTarget ?? event.target;
    if (button.getAttribute("aria-busy")) {
      return;
    }
    button.setAttribute("aria-busy", "true");
    acting += 1;
    try {
      say((await work()) ?? "Done");
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      complain(error.status === 403 ? `${error.message}. Another key may do this.` : error.message);
    } finally {
      acting -= 1;
      button.removeAttribute("aria-busy");
    }
    if (shown) {
      await refresh();
    }
  },
};

function say(text) {
  problem.textContent = "";
  said.textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => (said.textContent = ""), 8000);
}

function complain(text) {
  said.textContent = "";
  problem.textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => (problem.textContent = ""), 15000);
}

// --- the tab ------------------------------------------------------------------------------------------------

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    freshness.textContent += " · paused";
  } else if (shown) {
    refresh();
  }
});
leave.addEventListener("click", () => {
  saveKey("");
  signIn("");
});
window.addEventListener("hashchange", navigate);
navigate();
