// Elements from values, and a page that changes only where they do. Text is always text: nothing here parses HTML.

/**
 * Make an element. `on` holds listeners, `style` custom properties, `key` identifies it among its siblings,
 * `draw` fills it by itself. Other attributes are set as they are; false, null and undefined leave one out.
 */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  const { on = {}, style = {}, key, draw, value, ...others } = attributes;
  made.key = key;
  made.draw = draw;
  made.styled = style;
  for (const [name, given] of Object.entries(others)) {
    if (given !== false && given !== null && given !== undefined) {
      made.setAttribute(name, given === true ? "" : String(given));
    }
  }
  restyle(made, style);
  listen(made, on);
  made.append(...nodes(children));
  if (value !== undefined) {
    made.value = value; // once: afterwards it belongs to the person who types
  }
  draw?.(made);
  return made;
}

/** Show these children in a place, keeping what is already there: its focus, its scroll position, its text. */
export function patch(host, ...children) {
  const wanted = nodes(children);
  const present = [...host.childNodes];
  const keyed = new Map(present.filter((node) => node.key !== undefined).map((node) => [node.key, node]));
  const loose = present.filter((node) => node.key === undefined);
  const placed = wanted.map((node) => {
    const former = node.key === undefined ? next(loose, node) : keyed.get(node.key);
    if (former === undefined || former.nodeName !== node.nodeName) {
      return node;
    }
    update(former, node);
    return former;
  });
  const kept = new Set(placed);
  present.filter((node) => !kept.has(node)).forEach((node) => node.remove());
  placed.forEach((node, index) => {
    if (host.childNodes[index] !== node) {
      host.insertBefore(node, host.childNodes[index] ?? null);
    }
  });
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

function next(loose, node) {
  const index = loose.findIndex((each) => each.nodeName === node.nodeName);
  return index < 0 ? undefined : loose.splice(0, index + 1).at(-1);
}

function update(former, node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (former.data !== node.data) {
      former.data = node.data;
    }
    return;
  }
  for (const { name } of [...former.attributes]) {
    // An opened <details> stays open; a style is set by properties.
    if (!node.hasAttribute(name) && name !== "open" && name !== "style") {
      former.removeAttribute(name);
    }
  }
  for (const { name, value } of node.attributes) {
    if (name !== "style" && name !== "open" && former.getAttribute(name) !== value) {
      former.setAttribute(name, value);
    }
  }
  restyle(former, node.styled ?? {});
  listen(former, node.listeners ?? {});
  former.draw = node.draw;
  if (node.draw) {
    node.draw(former);
  } else if (former.nodeName !== "TEXTAREA") {
    patch(former, ...node.childNodes);
  }
}

function restyle(element, style) {
  for (const [name, value] of Object.entries(style)) {
    element.style.setProperty(name, value);
  }
}

function listen(element, listeners) {
  const known = element.listeners ?? {};
  for (const type of Object.keys(listeners)) {
    if (!(type in known)) {
      element.addEventListener(type, (event) => element.listeners[type]?.(event));
    }
  }
  element.listeners = { ...Object.fromEntries(Object.keys(known).map((type) => [type, null])), ...listeners };
}
