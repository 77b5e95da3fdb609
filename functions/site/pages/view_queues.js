// Queues: what waits, what failed for good, and a way to try that again.

import { h } from "./elements.js";
import { chip, empty, figures } from "./parts.js";
import { ask, path } from "./requests.js";
import { count, plural, words } from "./words.js";

export const load = () => ({ operations: ask("GET", path(["operations"])) });

export function show(_place, { operations: { queues } }, tools) {
  const failed = queues.reduce((sum, queue) => sum + (queue.failed ?? 0), 0);
  return [
    h("header", { class: "head" }, h("h1", { class: "grow" }, "Queues"), failed ? chip(`${count(failed)} failed for good`, "bad") : chip("Nothing has failed", "good")),
    queues.length
      ? h("ul", { class: "grid" }, queues.map((queue) => card(queue, tools)))
      : empty("No queues", "This deployment has none."),
  ];
}

function card(queue, tools) {
  const redrive = async () => {
    const { moved } = await ask("POST", path(["operations", "redrive"]), { queue: queue.name });
    return `${words(queue.name)}: ${plural(moved, "message")} will be tried again`;
  };
  return h("li", { class: "card queue", key: queue.name },
    h("h2", {}, words(queue.name.replace(/-/g, " "))),
    figures([["Waiting", count(queue.waiting)], ["In work", count(queue.in_flight)], ["Failed", count(queue.failed)]]),
    queue.failed > 0 && !queue.redrivable && h("p", { class: "quiet" }, "These are not sent again from here: docs/operations.md says what to do."),
    queue.failed > 0 && queue.redrivable && h("button", { class: "button secondary", type: "button", "aria-label": `Try again what failed in ${queue.name}`, on: { click: (event) => tools.act(event, redrive) } }, "Try again"));
}
