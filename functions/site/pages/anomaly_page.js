// An anomaly: its checks, its tickets, its comments, its history; and what can be done with it.

import { h } from "./elements.js";
import { chip, crumbs, empty, facts, missing, optional, tabs, time, timeline } from "./parts.js";
import { ask, askRecords, path } from "./requests.js";
import { at, count, words } from "./words.js";

const ARCHIVED = ["Resolved", "Duplicate", "Invalid", "Discarded"];
const KINDS = { Active: "bad", Acknowledged: "warn", Resolved: "good" };
const MOST = 100;

export function load({ parts: [id, tab] }, former) {
  const further = {
    comments: () => ask("GET", path(["anomalies", id, "comments"], { size: MOST })),
    history: () => optional(askRecords(["anomalies", id, "history"], former?.more)),
  }[tab] ?? (() => ask("GET", path(["anomalies", id, "ticket-links"], { size: MOST })));
  return { anomaly: ask("GET", path(["anomalies", id])), more: further() };
}

export function show({ parts: [id, tab = ""] }, { anomaly, more }, tools) {
  const address = `#/anomalies/${encodeURIComponent(id)}`;
  return [
    crumbs(["Anomalies", "#/anomalies"]),
    h("header", { class: "head" },
      h("div", { class: "grow" }, h("h1", {}, anomaly.description || `Anomaly ${anomaly.id}`),
        h("p", { class: "quiet" }, [`#${anomaly.id}`, anomaly.datastore.name, anomaly.container?.name].filter(Boolean).join(" · "))),
      chip(anomaly.status, KINDS[anomaly.status] ?? "plain")),
    tabs("Parts of the anomaly", { comments: "Comments", history: "History" }[tab] ?? "Overview",
      [["Overview", address], ["Comments", `${address}/comments`], ["History", `${address}/history`]]),
    tab === "comments" ? comments(anomaly, more, tools) : tab === "history" ? timeline(more, "anomaly") : overview(anomaly, more, tools),
  ];
}

function overview(anomaly, links, tools) {
  return [
    h("section", { class: "card stack", key: "checks" }, h("h2", {}, "Failed checks"),
      anomaly.failed_checks.length
        ? h("ul", { class: "list tight" }, anomaly.failed_checks.map((check) => h("li", { class: "row" },
          h("div", { class: "name grow" }, h("p", {}, check.message), h("p", { class: "quiet" }, [check.field, check.rule_type && words(check.rule_type)].filter(Boolean).join(" · "))))))
        : h("p", { class: "quiet" }, "None is known."),
      facts([["Type", words(anomaly.type)], ["Weight", anomaly.weight], ["Detected", at(anomaly.detected)], ["Times", count(anomaly.detected_count)], ["Last change", at(anomaly.updated)]])),
    h("section", { class: "card stack", key: "status" }, h("h2", {}, "Status"), status(anomaly, tools)),
    h("section", { class: "stack", key: "tickets" }, h("h2", {}, "Tickets"),
      !links ? missing(links, "The list of tickets")
      : links.items.length ? h("ul", { class: "list" }, links.items.map((link) => ticket(anomaly, link, tools)))
      : empty("No ticket yet", "Create one, or link an existing one."),
      newTicket(anomaly, tools)),
  ];
}

function status(anomaly, tools) {
  const set = (name) => (event) => tools.act(event, async () => {
    await ask("PUT", path(["anomalies", String(anomaly.id)]), { status: name });
    return `The anomaly is ${name.toLowerCase()}`;
  });
  const archive = (event) => {
    event.preventDefault();
    const { as, comment } = event.target.elements;
    return tools.act(event, async () => {
      await ask("DELETE", path(["anomalies", String(anomaly.id)], { archive: "true", status: as.value, comment: comment.value.trim() }));
      return `The anomaly is archived as ${as.value.toLowerCase()}`;
    });
  };
  const button = (label, name) => h("button", { class: "button secondary", type: "button", key: name, on: { click: set(name) } }, label);
  if (anomaly.archived) {
    return h("div", { class: "actions" }, button("Restore", "Acknowledged"));
  }
  return [
    h("div", { class: "actions", key: "open" }, anomaly.status === "Active" ? button("Acknowledge", "Acknowledged") : button("Set active again", "Active")),
    h("form", { class: "toolbar", key: "archive", on: { submit: archive } },
      h("label", { class: "field" }, "Archive as", h("select", { name: "as" }, ARCHIVED.map((each) => h("option", { value: each }, each)))),
      h("label", { class: "field grow" }, "Comment, if any", h("input", { name: "comment", maxlength: 2000, autocomplete: "off" })),
      h("button", { class: "button secondary", type: "submit" }, "Archive")),
  ];
}

function ticket(anomaly, link, tools) {
  const unlink = async () => {
    await ask("DELETE", path(["anomalies", String(anomaly.id), "ticket-links", String(link.id)]));
    return `${link.ticket_number} is not linked any more`;
  };
  const name = /^https?:\/\//.test(link.url) ? h("a", { class: "strong", href: link.url, rel: "noreferrer" }, link.ticket_number) : h("span", { class: "strong" }, link.ticket_number);
  return h("li", { class: "row", key: String(link.id) },
    h("div", { class: "name grow" }, h("p", {}, name, " ", link.title),
      h("p", { class: "quiet" }, `${words(link.origin)} `, time(link.created), link.last_synced && [", synced ", time(link.last_synced)]),
      link.last_sync_error && h("p", { class: "bad-text" }, link.last_sync_error)),
    link.status && chip(link.status, "plain"),
    h("button", { class: "button quiet small", type: "button", "aria-label": `Unlink ${link.ticket_number}`, on: { click: (event) => tools.act(event, unlink) } }, "Unlink"));
}

function newTicket(anomaly, tools) {
  const create = (event) => {
    event.preventDefault();
    const form = event.target;
    const { title, description } = form.elements;
    const body = { title: title.value.trim(), ...(description.value.trim() && { description: description.value.trim() }) };
    return tools.act(event, async () => {
      const made = await ask("POST", path(["integrations", "ticketing", "anomalies", String(anomaly.id), "tickets"]), body, { "Idempotency-Key": crypto.randomUUID() });
      form.reset();
      return `${made.ticket.ticket_number} is created and linked`;
    });
  };
  const link = (event) => {
    event.preventDefault();
    const form = event.target;
    return tools.act(event, async () => {
      const made = await ask("POST", path(["anomalies", String(anomaly.id), "ticket-links"]), { ticket_id: form.elements.ticket.value.trim() });
      form.reset();
      return `${made.ticket_number} is linked`;
    });
  };
  return [
    h("form", { class: "card toolbar", key: "create", on: { submit: create } },
      h("label", { class: "field grow" }, "Title of a new ticket", h("input", { name: "title", maxlength: 255, required: true, autocomplete: "off" })),
      h("label", { class: "field grow" }, "Description", h("textarea", { class: "one", name: "description", rows: 1 })),
      h("button", { class: "button", type: "submit" }, "Create ticket")),
    h("form", { class: "card toolbar", key: "link", on: { submit: link } },
      h("label", { class: "field grow" }, "Key of an existing ticket", h("input", { name: "ticket", maxlength: 255, required: true, autocomplete: "off", autocapitalize: "characters" })),
      h("button", { class: "button secondary", type: "submit" }, "Link ticket")),
  ];
}

function comments(anomaly, listed, tools) {
  const add = (event) => {
    event.preventDefault();
    const form = event.target;
    return tools.act(event, async () => {
      await ask("POST", path(["anomalies", String(anomaly.id), "comments"]), { message: form.elements.message.value.trim() });
      form.reset();
      return "The comment is added; its tickets get it, too";
    });
  };
  return [
    !listed ? missing(listed, "The list of comments")
    : listed.items.length
      ? h("ol", { class: "timeline" }, listed.items.map((each) => h("li", { key: String(each.id) }, h("p", { class: "pre" }, each.message), h("p", { class: "quiet" }, time(each.created)))))
      : empty("No comments yet", "A comment goes to the anomaly's tickets, too."),
    h("form", { class: "card toolbar", key: "add", on: { submit: add } },
      h("label", { class: "field grow" }, "Comment", h("textarea", { name: "message", rows: 3, required: true })),
      h("button", { class: "button", type: "submit" }, "Add comment")),
  ];
}
