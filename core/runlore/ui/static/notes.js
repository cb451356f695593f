// Notes on a run: what people wrote, with author and time; written, corrected and removed in place.

import { change, runPath } from "./api.js";
import { fill, form, h, say, trying } from "./dom.js";
import { ago, moment } from "./format.js";
import { markdown } from "./markdown.js";

const MOST = 100; // that are shown

/** The notes of a run; `again` is called after a change, null where nothing can be changed. */
export function notes(run, again) {
  const earlier = run.notes.length - MOST;
  const told = run.notes.slice(-MOST).map((item) => note(run, item, again));
  if (earlier > 0) told.unshift(h("p", { class: "quiet" }, `${earlier} earlier ones: runlore show ${run.id}`));
  if (!again) return told.length ? h("section", {}, h("h2", {}, "Notes"), told) : null;
  return h("section", {}, h("h2", {}, "Notes"), told, writing(run, again));
}

/** Hold what is being written in a node; the function that is returned puts it back once the node was filled anew. */
export function drafts(node) {
  const held = [...node.querySelectorAll("[data-note]")].filter((one) => one.querySelector("textarea"));
  const focused = document.activeElement;
  return () => {
    for (const one of held) node.querySelector(`[data-note="${CSS.escape(one.dataset.note)}"]`)?.replaceWith(one);
    if (held.some((one) => one.contains(focused))) focused.focus();
  };
}

const write = (run, told) => change(`${runPath(run.id)}/notes`, told);

function writing(run, again) {
  const words = h("textarea", {
    rows: 3,
    "aria-label": "A note",
    placeholder: "What is worth knowing of this run? **bold**, *italics*, `code`, - lists, [links](https://…)",
  });
  const add = trying(async () => {
    await write(run, { text: words.value });
    words.value = "";
    await again();
  });
  return h("div", { "data-note": "" }, form([words], "Add note", add));
}

function note(run, item, again) {
  const node = h("article", { class: "note", "data-note": item.time });
  const at = (time) => h("time", { datetime: time, title: moment(time) }, ago(time));
  const edit = h("button", { type: "button", class: "plain", "aria-label": "Edit the note" }, "Edit");
  const remove = h("button", { type: "button", class: "plain", "aria-label": "Remove the note" }, "Remove");
  edit.addEventListener("click", () => correct(run, item, node, again, show));
  remove.addEventListener(
    "click",
    trying(async () => {
      await write(run, { note: item.time });
      await again();
      const back = trying(async () => {
        await write(run, { note: item.time, text: item.text });
        await again();
      });
      say("1 note removed", { action: { name: "Undo", run: back } });
    }),
  );
  function show() {
    const by = item.editor && item.editor !== item.user ? [" by ", h("b", {}, item.editor)] : null;
    fill(
      node,
      h(
        "p",
        { class: "quiet" },
        h("span", {}, item.user ? [h("b", {}, item.user), " "] : null, at(item.time)),
        item.edited && h("span", {}, "edited ", at(item.edited), by),
        again && h("span", {}, edit, remove),
      ),
      markdown(item.text),
    );
    return edit;
  }
  show();
  return node;
}

/** Let a note be edited in its place; `show` shows it as it was, and returns what is focused then. */
function correct(run, item, node, again, show) {
  const words = h("textarea", { rows: Math.min(12, item.text.split("\n").length + 2), "aria-label": "Text of the note", value: item.text });
  const leave = () => show().focus();
  const save = trying(async () => {
    if (words.value.trim() !== item.text) await write(run, { note: item.time, text: words.value });
    leave();
    await again();
  });
  const box = form([words], "Save", save);
  box.lastChild.append(h("button", { type: "button", onclick: leave }, "Cancel"));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) leave();
  });
  fill(node, box);
  words.focus();
}
