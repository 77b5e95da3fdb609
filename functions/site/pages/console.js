// The console: one page, one key, one view at a time. A view loads its data again every five seconds.
//
// `load` of a view names its data, each a promise. It is shown with the first, and again with the others.

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

let current = ""; // the view that the navigation marks
let probing = null; // while it is not known yet what a key may do
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

/** Return a view by its name in the address: a path and a serial number belong to the jobs. */
const viewOf = (name) => VIEWS[name === "paths" || name === "serials" ? "jobs" : name];

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

/** Open the view that is asked for once the key is known to have its scope; the other views follow. */
async function tryKey(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const key = form.elements.key.value.trim();
  const wanted = viewOf(place().view)?.scope ?? "jobs";
  const codes = new Map();
  let opened = false;
  const open = () => {
    if (opened && savedKey() !== key) {
      return; // it was forgotten meanwhile
    }
    saveKey(key);
    sessionStorage.setItem(SCOPES, [...codes].filter(([, code]) => code !== 403).map(([scope]) => scope).join(" "));
    if (opened) {
      showNavigation();
    } else {
      opened = true;
      form.reset();
      navigate();
    }
  };
  button.disabled = true;
  nav.setAttribute("aria-busy", "true");
  probing = Promise.all(Object.entries(PROBES).map(async ([scope, probe]) => {
    codes.set(scope, await status(probe, key));
    if (opened || (scope === wanted && codes.get(scope) === 200)) {
      open();
    }
  }));
  await probing;
  probing = null;
  nav.removeAttribute("aria-busy");
  button.disabled = false;
  const answers = [...codes.values()];
  if (answers.includes(401) && !opened) {
    signIn("This key is not known here.");
  } else if (answers.every((code) => code === 0)) {
    signIn("No answer. Is this device connected?");
  } else if (!opened) {
    open();
  }
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
  const name = wanted.view || allowed()[0];
  turn += 1;
  const mine = turn;
  clearTimeout(timer);
  leave.hidden = false;
  const view = viewOf(name);
  showNavigation(Object.keys(VIEWS).find((each) => VIEWS[each] === view));
  if (!view) {
    return explain("There is no such view", "Choose one above.");
  }
  if (!scopes().includes(view.scope)) {
    if (probing) {
      patch(main, loading(view.label));
      await probing;
      return mine === turn ? navigate() : undefined;
    }
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

function showNavigation(name = current) {
  current = name;
  patch(nav, h("ul", {}, allowed().map((each) =>
    h("li", { key: each }, h("a", { href: `#/${each}`, "aria-current": each === current ? "page" : null }, VIEWS[each].label)))));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

async function refresh(arrived = false) {
  const mine = turn;
  clearTimeout(timer);
  const view = shown;
  try {
    const data = {};
    const [first, ...later] = Object.entries(view.module.load(view.place, view.data)).map(async ([name, value]) => {
      data[name] = await value;
    });
    const rest = Promise.all(later);
    rest.catch(() => {}); // handled below, unless the first fails
    await first;
    if (arrived && later.length && mine === turn && !acting) {
      view.data = data;
      render();
    }
    await rest;
    if (mine !== turn || acting) {
      return;
    }
    view.data = data;
    render();
    freshness.textContent = `Updated ${timeOfDay(new Date())}`;
    if (arrived) {
      main.querySelectorAll(".tabs [aria-current], .runs [aria-current]").forEach(bringIntoView);
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

/** Scroll sideways alone: the page stays at its top. */
function bringIntoView(element) {
  const box = element.closest(".tabs, .scroll");
  box.scrollLeft = element.offsetLeft - box.offsetLeft - (box.clientWidth - element.offsetWidth) / 2;
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
