// Notes as people write them: a small part of Markdown, built of nodes like everything else here, so that no text of a
// note is ever read as markup. Each character is looked at a bounded number of times.

import { h } from "./dom.js";

const MOST = 20_000; // characters of a note that are shown
const DEEPEST = 4; // emphasis within emphasis, lists within lists
const MARKS = { "**": "strong", __: "strong", "*": "em", _: "em" };
const ADDRESS = /https?:\/\/[^\s<>"'`]{1,2000}/y;
const ENDINGS = ".,;:!?)]*_"; // of sentences and marks around an address
const ITEM = /^( *)(?:[-*+]|(\d{1,9})[.)]) +(.*)$/;
const HEADING = /^(#{1,6}) +(.*)$/;
const FENCE = /^ {0,3}```/;

/** A note as nodes: headings (below those of the page), paragraphs, lists, code; `*`, `**`, `` ` `` and links in them. */
export function markdown(text) {
  const lines = text.slice(0, MOST).replace(/\r\n?/g, "\n").split("\n");
  const found = [];
  let level = 2; // of the heading above
  for (let at = 0; at < lines.length; ) {
    const heading = HEADING.exec(lines[at]);
    if (!lines[at].trim()) at++;
    else if (heading) {
      level = Math.min(heading[1].length + 2, level + 1, 6);
      found.push(h(`h${level}`, {}, inline(heading[2])));
      at++;
    } else if (FENCE.test(lines[at])) {
      const end = lines.findIndex((line, place) => place > at && FENCE.test(line));
      const last = end < 0 ? lines.length : end;
      found.push(h("pre", { class: "mono", tabindex: 0 }, lines.slice(at + 1, last).join("\n")));
      at = last + 1;
    } else {
      let end = at + 1;
      const listed = ITEM.test(lines[at]);
      const ends = (line) => !line.trim() || HEADING.test(line) || FENCE.test(line) || (!listed && ITEM.test(line));
      while (end < lines.length && !ends(lines[end])) end++;
      const part = lines.slice(at, end);
      found.push(listed ? list(part.map(item), 0) : h("p", {}, inline(part.join("\n"))));
      at = end;
    }
  }
  const left = text.length - MOST;
  if (left > 0) found.push(h("p", { class: "quiet" }, `… and ${left} more characters: runlore show has them`));
  return h("div", { class: "markdown" }, found);
}

/** A line of a list; one that is no item goes on with the item above it. */
function item(line) {
  const [, space, number, words] = ITEM.exec(line) ?? [null, null, null, line.trim()];
  return { indent: space?.length ?? null, number, words };
}

/** Items as a list; those that are indented further are lists within it. */
function list(items, depth) {
  const { indent, number } = items[0];
  const isOwn = (one) => one.indent !== null && (one.indent <= indent || depth === DEEPEST);
  const nodes = [];
  for (let at = 0; at < items.length; ) {
    const words = [items[at++].words];
    while (at < items.length && items[at].indent === null) words.push(items[at++].words);
    let end = at;
    while (end < items.length && !isOwn(items[end])) end++;
    const below = end > at ? list(items.slice(at, end), depth + 1) : null;
    nodes.push(h("li", {}, inline(words.join("\n")), below));
    at = end;
  }
  return number === undefined ? h("ul", {}, nodes) : h("ol", { start: Number(number) }, nodes);
}

/** Text with its emphasis, code and links, as nodes and texts. */
function inline(text, depth = 0) {
  const found = [];
  const missing = new Set(); // marks that come no more
  let plain = 0; // where the text begins that is not in `found`
  const closing = (mark, from) => {
    const end = missing.has(mark) ? -1 : text.indexOf(mark, from);
    if (end < 0) missing.add(mark);
    return end;
  };
  for (let at = 0; at < text.length; ) {
    const [node, end] = special(text, at, depth, closing) ?? [null, at + 1];
    if (node) {
      found.push(text.slice(plain, at), node);
      plain = end;
    }
    at = end;
  }
  return [...found, text.slice(plain)];
}

/** What begins at a place and where it ends; null where it is plain text. */
function special(text, at, depth, closing) {
  if (text[at] === "`") {
    const end = closing("`", at + 1);
    return end > at + 1 ? [h("code", {}, text.slice(at + 1, end)), end + 1] : null;
  }
  if (text[at] === "[") return named(text, at, closing);
  if (text[at] === "h" && !/\w/.test(text[at - 1] ?? "")) return bare(text, at);
  const mark = [text.slice(at, at + 2), text[at]].find((sign) => Object.hasOwn(MARKS, sign));
  if (!mark || depth === DEEPEST || /\s/.test(text[at + mark.length] ?? " ")) return null;
  const within = mark[0] === "_" && /\w/.test(text[at - 1] ?? ""); // as in a_name
  const end = within ? -1 : closing(mark, at + mark.length + 1);
  if (end < 0 || /\s/.test(text[end - 1]) || (mark[0] === "_" && /\w/.test(text[end + mark.length] ?? ""))) return null;
  return [h(MARKS[mark], {}, inline(text.slice(at + mark.length, end), depth + 1)), end + mark.length];
}

/** A link with words of its own: [words](address); where it leads stands beside them. */
function named(text, at, closing) {
  const middle = closing("](", at + 1);
  const end = middle < 0 ? -1 : closing(")", middle);
  const words = end < 0 ? "" : text.slice(at + 1, middle);
  if (!words.trim() || words.includes("[")) return null;
  const node = anchor(text.slice(middle + 2, end).trim(), words);
  return node && [node, end + 1];
}

/** An address as it stands in a text, without the signs that end a sentence. */
function bare(text, at) {
  ADDRESS.lastIndex = at;
  const [whole] = ADDRESS.exec(text) ?? [""];
  let length = whole.length;
  while (length && ENDINGS.includes(whole[length - 1])) length--;
  const address = whole.slice(0, length);
  const node = address && anchor(address, address);
  return node ? [node, at + address.length] : null;
}

/** A link to another site, which learns nothing of this page; null for what is no address on the web. */
function anchor(address, words) {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return null;
  const { href, host, username, password } = new URL(address);
  if (username || password) return null; // it may look like another site
  const node = h("a", { href, title: href, target: "_blank", rel: "noopener noreferrer nofollow" }, words);
  return words === address || words === host ? node : [node, h("span", { class: "quiet" }, ` (${host})`)];
}
