// Calls of this deployment, with the key of this tab. It is sent to this origin only, and kept nowhere else.

const KEY = "jobticket.key";
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
