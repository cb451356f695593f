// Numbers, times and sizes as people read them.

/** Five significant digits; whole numbers as they are; other texts unchanged. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(Number(value.toPrecision(5)));
  return value.toExponential(3).replace(/\.?0+e/, "e");
}

/** Any recorded value on one line, all its digits. */
export function text(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The value of a group; a text that looks like a number, or like no value, is quoted. */
export function groupText(value) {
  const odd = typeof value === "string" && (value.trim() === "" || !Number.isNaN(Number(value)));
  return odd ? JSON.stringify(value) : text(value);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.1) return `${Number((seconds * 1000).toPrecision(2))} ms`;
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  for (const [size, name, below, small] of [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ]) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / below);
      return rest ? `${Math.floor(whole / size)} ${name} ${rest} ${small}` : `${Math.floor(whole / size)} ${name}`;
    }
  }
  return `${whole} s`;
}

/** How long ago, in one unit; a date beyond a month. */
export function ago(iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  if (seconds < 5) return "just now";
  for (const [end, unit, name] of [
    [60, 1, "s"],
    [3600, 60, "min"],
    [86400, 3600, "h"],
    [30 * 86400, 86400, "d"],
  ]) {
    if (seconds < end) return `${Math.floor(seconds / unit)} ${name} ago`;
  }
  return iso.slice(0, 10);
}

/** A status; of a run that is only not heard of, since when. */
export function statusText({ status, ended }) {
  if (status !== "silent" || !ended) return status;
  const recent = Math.abs(Date.now() - Date.parse(ended)) < 86400e3;
  return `not heard of since ${recent ? `${ended.slice(11, 16)} UTC` : ended.slice(0, 10)}`;
}

export function moment(iso) {
  return iso ? `${iso.slice(0, 19).replace("T", " ")} UTC` : "–";
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000)
      return `${unit === "B" || value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

/** A number under its name: one of bytes as a size. */
export const measured = (name, value) => (/_bytes$/.test(name) && typeof value === "number" ? size(value) : number(value));

export const short = (id) => id.slice(-6);

/** Names that tell runs apart: one that repeats gets the end of the id. */
export function distinct(runs) {
  const names = runs.map((run) => run.name);
  const repeated = new Set(names.filter((name, place) => names.indexOf(name) !== place));
  return runs.map((run) => (repeated.has(run.name) ? { ...run, name: `${run.name} ${short(run.id)}` } : run));
}

const BEGIN = 10; // letters that a shortened name begins with

/** Names for narrow places, by name: of one of more than `most` letters, what others that begin alike have, too, is left out.
 *
 * Where that does not tell two apart, their ends stand in place of what follows.
 */
export function shortened(names, most) {
  const alike = new Map();
  for (const name of new Set(names)) {
    const begin = name.slice(0, BEGIN);
    alike.set(begin, [...(alike.get(begin) ?? []), name]);
  }
  const short = new Map();
  for (const group of alike.values()) {
    const from = group.length > 1 ? parting(group) : 0;
    const tails = group.map((name) => name.slice(from));
    for (const [at, name] of group.entries()) short.set(name, cut(name, from > BEGIN ? tails[at] : "", most));
  }
  const seen = (text) => (text.length > most ? text.slice(0, most - 1) : text); // where there is room for no more
  const shown = [...short.values()].map(seen);
  const repeated = new Set(shown.filter((text, at) => shown.indexOf(text) !== at));
  for (const [name, text] of short) {
    if (name.length > most && repeated.has(seen(text))) short.set(name, cut(name, name.slice(BEGIN + 1 - most), most));
  }
  return short;
}

/** Where names that begin alike are no longer the same, from the begin of a word or of a number on. */
function parting(names) {
  let at = 0;
  while (at < names[0].length && names.every((name) => name[at] === names[0][at])) at += 1;
  const same = names[0].slice(0, at);
  return same.search(/[^-_./:,;=+\s]*$/);
}

/** A name of at most some letters: its begin, and as much of a tail as there is room for. */
function cut(name, tail, most) {
  if (name.length <= most || !tail) return name;
  const room = most - BEGIN - 1;
  const told = tail.length > room ? `${tail.slice(0, room - 1)}…` : tail;
  return `${name.slice(0, most - 1 - told.length)}…${told}`;
}

/** "names and places" as a title. */
export function titled(words) {
  return words.charAt(0).toUpperCase() + words.slice(1).replaceAll("_", " ");
}

export function count(amount, what) {
  return `${amount.toLocaleString("en")} ${what}${amount === 1 ? "" : "s"}`;
}

/** Values in their order, missing ones last either way; 2 before 10 in texts, too. */
export function ordered(one, other, down) {
  const lacks = (value) => value === null || value === undefined;
  if (lacks(one) || lacks(other)) return lacks(one) - lacks(other);
  const way = down ? -1 : 1;
  if (typeof one === "number" && typeof other === "number") return way * (one - other);
  return way * String(one).localeCompare(String(other), "en", { numeric: true });
}

/** A test of names by what somebody typed: all of the words, each as a part, with * for anything, or a /regex/. */
export function finder(text) {
  const regex = /^\/(.+)\/$/.exec(text.trim());
  if (regex) {
    try {
      const pattern = new RegExp(regex[1], "i");
      return (name) => pattern.test(name);
    } catch {
      return () => false;
    }
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const parts = words.map((word) => word.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*"));
  const patterns = parts.map((part) => new RegExp(part));
  return (name) => patterns.every((pattern) => pattern.test(name.toLowerCase()));
}

/** True for a run that tables leave out unless they are asked for it. */
export const isArchived = ({ tags }) => tags.archived === "yes";
