// Jobs: the list, a job, a path as a board, a serial number's history.

import * as jobs from "./job_list.js";
import * as job from "./job_page.js";
import * as path from "./path_page.js";
import * as serial from "./serial_page.js";

function page({ view, parts }) {
  if (view === "paths") {
    return path;
  }
  if (view === "serials") {
    return serial;
  }
  return parts.length ? job : jobs;
}

export const load = (place, former) => page(place).load(place, former);
export const show = (place, data, tools) => page(place).show(place, data, tools);
