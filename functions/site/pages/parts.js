// Parts that several views show.

import { h } from "./elements.js";
import { Refusal } from "./requests.js";
import { at, away, count, percent } from "./words.js";

export const chip = (text, kind = "") => h("span", { class: `chip ${kind}` }, text);

export const time = (value) => h("time", { datetime: value ?? "", title: at(value) }, away(value));

export const empty = (title, text) => h("div", { class: "card empty" }, h("p", { class: "strong" }, title), h("p", { class: "quiet" }, text));

export const unavailable = (what) => h("p", { class: "quiet" }, `${what} is not available in this deployment.`);

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
