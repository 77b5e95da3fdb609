// Calls of this deployment, with the key of this tab. It is sent to this origin only, and kept nowhere else.

const KEY = "jobticket.key";
const LARGEST_PAGE = 500;
const FIELDS = ["message", "error", "detail"];

/** An answer that is no success; status 0 if there was no answer. */
export class Refusal extends Error {
  constructor(status, text, body = {}) {
    super(text);
    this.status = status;
    this.body = body;
  }
}

export function savedKey() {
  return sessionStorage.getItem(KEY) ?? "";
}

export function saveKey(key) {
  if (key) {
    sessionStorage.setItem(KEY, key);
  } else {
    sessionStorage.clear();
  }
}

/** Send a request and return its JSON. `path` is relative to the page, so that a stage in the address stays. */
export async function ask(method, path, body, headers = {}, key = savedKey()) {
  return (await send(method, path, body, headers, key)).answer;
}

/** Return a page of a list, and the cursor of the next one. */
export async function askPage(path) {
  const { answer, response } = await send("GET", path);
  return { entries: answer, next: response.headers.get("x-next-cursor") };
}

/**
 * Read all records of a list that only grows, oldest first. `known` is what this returned before: then the
 * last of those is read, and what has come after it.
 */
export async function askRecords(parts, known) {
  let { records = [], before = 0, cursor = null } = known ?? {}; // so many records stand before the cursor
  const fewer = records.length - before - 1; // so that the page ends with the cursor that leads to the last record
  let limit = fewer > 0 ? fewer : LARGEST_PAGE;
  let next = cursor;
  records = records.slice(0, before);
  do {
    const page = await askPage(path(parts, { limit, cursor: next }));
    records.push(...page.entries);
    next = page.next;
    if (next) {
      [cursor, before] = [next, records.length];
    }
    limit = LARGEST_PAGE;
  } while (next);
  return { records, before, cursor };
}

async function send(method, path, body, headers = {}, key = savedKey()) {
  const options = {
    method,
    headers: { Accept: "application/json", Authorization: `Bearer ${key}`, ...headers },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
  };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(0, "No answer. Is this device connected?");
  }
  const text = await response.text();
  const answer = parsed(text);
  if (!response.ok) {
    const said = FIELDS.map((name) => answer?.[name]).find((each) => typeof each === "string");
    throw new Refusal(response.status, said ?? `The answer was ${response.status}`, answer ?? {});
  }
  return { answer, response };
}

function parsed(text) {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** Return a path with its parts and parameters encoded; parameters without a value are left out. */
export function path(parts, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "" && value !== null);
  const query = new URLSearchParams(given).toString();
  return `api/${parts.map(encodeURIComponent).join("/")}${query && `?${query}`}`;
}
