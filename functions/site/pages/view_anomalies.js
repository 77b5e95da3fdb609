// Anomalies: the list with filters; an anomaly with its checks, tickets, comments and history.

import * as anomaly from "./anomaly_page.js";
import { h } from "./elements.js";
import { chip, empty, requery, time } from "./parts.js";
import { ask, path } from "./requests.js";
import { count, plural, words } from "./words.js";

const STATUSES = ["Active", "Acknowledged", "Resolved", "Duplicate", "Invalid", "Discarded"];
const SIZE = 50;
const KINDS = { Active: "bad", Acknowledged: "warn", Resolved: "good" };

export const load = (place, former) => (place.parts.length ? anomaly.load(place, former) : { list: list(place) });
export const show = (place, data, tools) => (place.parts.length ? anomaly.show(place, data, tools) : table(place, data.list));

function list({ query }) {
  const asked = ["status", "type", "datastore", "archived", "page"].map((name) => [name, query.get(name)]);
  return ask("GET", path(["anomalies"], { ...Object.fromEntries(asked), size: SIZE }));
}

function table(place, { items, total, page, pages }) {
  return [
    h("header", { class: "head" }, h("h1", { class: "grow" }, "Anomalies"), h("p", { class: "quiet" }, plural(total, "anomaly", "anomalies"))),
    filters(place),
    items.length ? h("ul", { class: "list" }, items.map(row)) : empty("No anomaly matches", "Change the filters, or report one by POST /api/anomalies."),
    pages > 1 && h("nav", { class: "actions", "aria-label": "Pages", key: "pages" },
      h("button", { class: "button secondary", type: "button", disabled: page <= 1, on: { click: () => requery(place, { page: page - 1 }) } }, "Back"),
      h("span", { class: "quiet" }, `Page ${count(page)} of ${count(pages)}`),
      h("button", { class: "button secondary", type: "button", disabled: page >= pages, on: { click: () => requery(place, { page: page + 1 }) } }, "Next")),
  ];
}

function filters(place) {
  const pick = (name, label, options) => h("label", { class: "field" }, label,
    h("select", { value: place.query.get(name) ?? "", on: { change: (event) => requery(place, { [name]: event.target.value, page: "" }) } },
      options.map(([value, text]) => h("option", { value }, text))));
  return h("div", { class: "toolbar", role: "search", key: "filters" },
    pick("status", "Status", [["", "Any"], ...STATUSES.map((each) => [each, each])]),
    pick("type", "Type", [["", "Any"], ["record", "Record"], ["shape", "Shape"]]),
    pick("archived", "Shown", [["", "All"], ["false", "Open"], ["true", "Archived"]]),
    h("label", { class: "field" }, "Datastore id",
      h("input", { inputmode: "numeric", pattern: "[0-9]*", maxlength: 15, value: place.query.get("datastore") ?? "", on: { change: (event) => requery(place, { datastore: event.target.value.replace(/\D/g, ""), page: "" }) } })));
}

function row(each) {
  const [check, ...others] = each.failed_checks;
  return h("li", { class: "row anomaly", key: String(each.id) },
    h("div", { class: "tags" }, chip(each.status, KINDS[each.status] ?? "plain")),
    h("div", { class: "name" },
      h("a", { class: "strong", href: `#/anomalies/${each.id}` }, each.description || check?.message || `Anomaly ${each.id}`),
      h("p", { class: "quiet" }, [`#${each.id}`, each.datastore.name, each.container?.name, words(each.type)].filter(Boolean).join(" · ")),
      check && each.description && h("p", {}, check.message, others.length > 0 && h("span", { class: "quiet" }, ` and ${plural(others.length, "check")} more`))),
    h("p", { class: "quiet" }, time(each.detected), each.detected_count > 1 && `, ${count(each.detected_count)} times`));
}
