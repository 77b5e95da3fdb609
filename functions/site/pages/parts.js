// Parts that several views show.

import { h } from "./elements.js";
import { Refusal } from "./requests.js";
import { at, away, count, percent, words } from "./words.js";

export const chip = (text, kind = "") => h("span", { class: `chip ${kind}` }, text);

export const time = (value) => h("time", { datetime: value ?? "", title: at(value) }, away(value));

export const empty = (title, text) => h("div", { class: "card empty" }, h("p", { class: "strong" }, title), h("p", { class: "quiet" }, text));

/** What stands in the place of data: null is not to be had here, undefined has not come yet. */
export const missing = (data, what) => (data === undefined
  ? h("div", { class: "bone", "aria-busy": "true" }, h("p", { class: "quiet" }, "Loading…"))
  : h("p", { class: "quiet" }, `${what} is not available in this deployment.`));

export function progress(done, goal, label) {
  const share = goal > 0 ? (done / goal) * 100 : 0;
  return h("div", { class: "progress" },
    h("progress", { max: Math.max(goal, 1), value: Math.min(done, goal), "aria-label": `${label}: ${count(done)} of ${count(goal)}` }),
    h("span", { class: "figure" }, percent(share)));
}

export function figures(entries) {
  return h("dl", { class: "figures" }, entries.map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

export function facts(entries) {
  return h("dl", { class: "facts" }, entries.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

export function crumbs(...links) {
  return h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("ol", {}, links.map(([label, href]) => h("li", {}, h("a", { href }, label)))));
}

export function tabs(label, current, entries) {
  return h("nav", { class: "tabs", "aria-label": label },
    h("ul", {}, entries.map(([name, href]) => h("li", { key: name }, h("a", { href, "aria-current": name === current ? "page" : null }, name)))));
}

/** Return what a request answers, or null where the deployment, or the key, does not have it. */
export async function optional(request) {
  try {
    return await request;
  } catch (error) {
    if (error instanceof Refusal && (error.status === 403 || (error.status === 404 && error.message === "Not Found"))) {
      return null;
    }
    throw error;
  }
}

/** What is recorded of something, newest first. `more` shows what an entry has beside when, what and who. */
export function timeline(log, what, more = detail) {
  if (!log) {
    return missing(log, "The history");
  }
  // Records are only added: the place of one among them stays.
  return log.records.length
    ? h("ol", { class: "timeline" }, log.records.map((entry, index) => h("li", { key: String(index) },
      h("p", {}, h("span", { class: "strong" }, words(entry.action)), " ", h("time", { class: "quiet", datetime: entry.at }, at(entry.at)), " ",
        entry.by && h("span", { class: "quiet" }, entry.operator ? `by ${entry.operator} (key ${entry.by})` : `by ${entry.by}`)),
      more(entry))).reverse())
    : empty("Nothing is recorded yet", `What happens to the ${what} from now on is shown here.`);
}

/** Say what an entry has beside when, what and who. */
function detail({ at: _at, action: _action, by: _by, operator: _operator, ...others }) {
  return Object.entries(others).map(([name, value]) =>
    h("p", { class: "quiet" }, `${words(name)}: ${typeof value === "object" ? change(value) : value}`));
}

function change(value) {
  return Object.entries(value ?? {})
    .map(([name, inner]) => (inner && typeof inner === "object" && ("before" in inner || "after" in inner)
      ? `${words(name)} ${inner.before ?? "–"} → ${inner.after ?? "–"}` : `${words(name)} ${typeof inner === "object" ? JSON.stringify(inner) : inner}`))
    .join(", ");
}

/** Change the query in the address, without a new entry in the tab's history. */
export function requery(place, changes) {
  const query = new URLSearchParams(place.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) {
      query.set(name, value);
    } else {
      query.delete(name);
    }
  }
  const parts = [place.view, ...place.parts].map(encodeURIComponent).join("/");
  const text = query.toString();
  history.replaceState(null, "", `#/${parts}${text && `?${text}`}`);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}
