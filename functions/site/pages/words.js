// Numbers, dates and states in words.

const number = new Intl.NumberFormat("en");
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = 86_400_000;

export const count = (value) => number.format(value ?? 0);

export const percent = (value) => `${whole.format(Math.floor(value ?? 0))} %`;

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function at(time) {
  const date = new Date(time ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? "–" : moment.format(date);
}

export function timeOfDay(date) {
  return clock.format(date);
}

/** Say how long ago something was, or how far ahead it is. */
export function away(time, now = Date.now()) {
  const distance = new Date(time).getTime() - now;
  if (Number.isNaN(distance)) {
    return "–";
  }
  const size = Math.abs(distance);
  const [value, unit] =
    size < 60_000 ? [0, ""]
    : size < 3_600_000 ? [Math.round(size / 60_000), "minute"]
    : size < DAY ? [Math.round(size / 3_600_000), "hour"]
    : [Math.round(size / DAY), "day"];
  if (!unit) {
    return distance < 0 ? "just now" : "in a moment";
  }
  return distance < 0 ? `${plural(value, unit)} ago` : `in ${plural(value, unit)}`;
}

export function daysUntil(time, now = Date.now()) {
  return Math.floor((new Date(time).getTime() - now) / DAY);
}

/** `forceCompleted` and `force_completed` as words. */
export function words(name) {
  const text = String(name ?? "").replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
