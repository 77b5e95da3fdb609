// Connections: which work, which must be authorized again, and the way to do it.

import { h } from "./elements.js";
import { chip, crumbs, empty, facts, optional, time, timeline } from "./parts.js";
import { ask, askRecords, path, Refusal } from "./requests.js";
import { at, daysUntil, plural, words } from "./words.js";

const PAGE = 100;
const LARGEST_PAGE = 500;
const SOON_DAYS = 30;
const KINDS = { oauth: "OAuth consent", api_token: "API token", personal_access_token: "Personal access token", service_account: "Service account" };
const links = new Map(); // external id → where the user goes on at Atlassian

export function load({ parts: [name], query }, former) {
  return name
    ? { one: find(name, former?.one), history: optional(askRecords(["backend", "connections", name, "history"], former?.history)) }
    : { page: pageOf(PAGE, query.get("cursor")) };
}

const pageOf = (limit, cursor) => ask("GET", path(["backend", "connections"], { limit, cursor }));

/** Return a connection, and the cursor of the page that has it: the next look begins there. */
async function find(name, former) {
  let cursor = former?.cursor ?? null;
  do {
    const { connections, next_cursor: next } = await pageOf(LARGEST_PAGE, cursor);
    const found = connections.find((each) => each.external_id === name);
    if (found) {
      return { found, cursor };
    }
    cursor = next;
  } while (cursor);
  return {};
}

export function show({ parts: [name], query }, { one: { found } = {}, page, history }, tools) {
  if (name) {
    return found ? one(found, history, tools) : [crumbs(["Connections", "#/connections"]), h("h1", {}, "There is no such connection"), h("p", {}, "It may have been removed.")];
  }
  const { connections, next_cursor: next } = page;
  return [
    h("h1", {}, "Connections"),
    connections.length
      ? h("ul", { class: "list" }, connections.map((each) => row(each, tools)))
      : empty("No connections yet", "PUT /api/backend/connections/{external_id}/api-token makes one, or a user's consent."),
    (next || query.has("cursor")) && h("nav", { class: "actions", "aria-label": "Pages", key: "pages" },
      query.has("cursor") && h("a", { class: "button secondary", key: "first", href: "#/connections" }, "First page"),
      next && h("a", { class: "button secondary", key: "next", href: `#/connections?${new URLSearchParams({ cursor: next })}` }, "Next page")),
  ];
}

function row(connection, tools) {
  return h("li", { class: "row connection", key: connection.external_id },
    h("div", { class: "name" }, h("a", { class: "strong", href: `#/connections/${encodeURIComponent(connection.external_id)}` }, connection.external_id),
      h("p", { class: "quiet" }, `${connection.site_name ?? connection.site_url} · ${KINDS[connection.kind] ?? words(connection.kind)}`)),
    h("div", { class: "tags" }, state(connection)),
    h("p", { class: "quiet" }, connection.last_refreshed_at ? ["Refreshed ", time(connection.last_refreshed_at)] : "Never refreshed"),
    actions(connection, tools));
}

function one(connection, history, tools) {
  return [
    crumbs(["Connections", "#/connections"]),
    h("header", { class: "head" }, h("h1", { class: "grow" }, connection.external_id), state(connection)),
    h("section", { class: "card stack", key: "facts" }, facts([["Site", connection.site_name], ["Address", connection.site_url], ["Kind", KINDS[connection.kind] ?? words(connection.kind)],
      ["Project", connection.selected_project_id], ["Authorized", at(connection.authorized_at)], ["Last refresh", connection.last_refreshed_at && at(connection.last_refreshed_at)],
      ["Expires", expiry(connection) && at(expiry(connection))]]), actions(connection, tools)),
    h("section", { class: "stack", key: "history" }, h("h2", {}, "History"),
      timeline(history, "connection")),
  ];
}

const expiry = (connection) => connection.token_expires_at ?? connection.expires_at;

function state(connection) {
  if (connection.status !== "valid") {
    return chip("Must be authorized again", "bad");
  }
  const days = expiry(connection) ? daysUntil(expiry(connection)) : null;
  return days !== null && days <= SOON_DAYS ? chip(`Works, expires in ${plural(Math.max(days, 0), "day")}`, "warn") : chip("Works", "good");
}

function actions(connection, tools) {
  const link = links.get(connection.external_id);
  return h("div", { class: "actions" },
    h("button", { class: "button secondary small", type: "button", "aria-label": `Test ${connection.external_id}`, on: { click: (event) => tools.act(event, () => test(connection)) } }, "Test"),
    connection.kind === "oauth" && (link
      ? h("a", { class: "button small", href: link, rel: "noreferrer" }, "Continue at Atlassian")
      : h("button", { class: "button secondary small", type: "button", "aria-label": `Authorize ${connection.external_id} again`, on: { click: (event) => tools.act(event, () => authorize(connection)) } }, "Authorize again")));
}

async function test(connection) {
  const answer = await ask("POST", path(["backend", "connections", connection.external_id, "test"]));
  if (!answer.connected) {
    throw new Refusal(200, `${connection.external_id} does not work: ${answer.error}`);
  }
  return `${connection.external_id} works, as ${answer.account?.displayName ?? answer.account?.name ?? "its account"}`;
}

async function authorize(connection) {
  const name = { provider: "jira", external_id: connection.external_id };
  const back = `${location.origin}${location.pathname}#/connections/${encodeURIComponent(connection.external_id)}`;
  const begin = async (body) => {
    const { connect_token: token } = await ask("POST", path(["backend", "connect-sessions"]), body);
    return ask("POST", path(["frontend", "oauth", "initiate-oauth-flow"]), body, { "X-Connect-Token": token });
  };
  const { authorization_uri: uri } = await begin({ ...name, return_url: back }).catch((error) => {
    if (error.status !== 400) {
      throw error;
    }
    return begin(name); // users may not be sent back to this origin
  });
  if (!/^https?:\/\//.test(uri)) {
    throw new Refusal(200, "The address of Atlassian's page is not valid");
  }
  links.set(connection.external_id, uri);
  return "Continue at Atlassian within ten minutes. The connection stays as it is until a site is chosen.";
}
