// Actions on the selected runs.

import { change, runPath } from "./api.js";
import { fill, form, h, popover, say, trying } from "./dom.js";
import { count, isArchived } from "./format.js";

const COMPARED = 10; // runs; the server takes no more

const areComparable = (ids) => ids.length >= 2 && ids.length <= COMPARED;

/** Compare the selected runs, if they are not too few or too many. */
export function compare({ table, go }) {
  if (areComparable(table.selected)) go(`/compare?${table.selected.map((id) => `runs=${id}`).join("&")}`);
}

/** The bar above the table; `page` has table, select(ids), load() and go(address). */
export function selectionBar(bar, page) {
  const ids = page.table.selected;
  bar.classList.toggle("hidden", !ids.length);
  if (!ids.length) return;
  fill(
    bar,
    h("b", {}, `${ids.length} selected`),
    h(
      "button",
      {
        type: "button",
        class: "main",
        disabled: !areComparable(ids),
        title: "From two to ten runs",
        onclick: () => compare(page),
      },
      "Compare",
    ),
    popover("Tag", (box, close) => tagForm(box, close, page, ids)),
    popover("Note", (box, close) => noteForm(box, close, page, ids)),
    h("button", { type: "button", onclick: trying(() => pin(page, ids)) }, "Pin"),
    h(
      "button",
      { type: "button", onclick: trying(() => archive(page, ids)) },
      allArchived(page, ids) ? "Unarchive" : "Archive",
    ),
    h("button", { type: "button", class: "danger", onclick: trying(() => remove(page, ids)) }, "Remove"),
    h("span", { class: "grow" }),
    h("button", { type: "button", class: "plain", onclick: () => page.select([]) }, "Clear"),
  );
}

function tagForm(box, close, page, ids) {
  const key = h("input", { type: "text", placeholder: "key", "aria-label": "Key of the tag" });
  const value = h("input", {
    type: "text",
    placeholder: "value; empty takes it off",
    "aria-label": "Value of the tag",
  });
  box.append(
    form(
      [key, value],
      "Set",
      trying(async () => {
        await each(page, ids, "/tags", { tags: { [key.value]: value.value || null } }, "Tagged");
        close();
      }),
    ),
  );
}

function noteForm(box, close, page, ids) {
  const words = h("textarea", { rows: 3, "aria-label": "Note", placeholder: "what is worth knowing of these runs" });
  box.append(
    form(
      [words],
      "Add",
      trying(async () => {
        await each(page, ids, "/notes", { text: words.value }, "Noted on");
        close();
      }),
    ),
  );
}

async function each(page, ids, path, body, done) {
  await Promise.all(ids.map((id) => change(runPath(id) + path, body)));
  say(`${done} ${count(ids.length, "run")}`);
  await page.table.refresh();
}

/** Pin the runs; unpin them if all are pinned. */
async function pin(page, ids) {
  await change("/api/pin", { runs: ids, off: ids.every((id) => page.table.find(id)?.tags.pinned) });
  await page.table.refresh();
}

const allArchived = (page, ids) => ids.map((id) => page.table.find(id)).every((row) => row && isArchived(row));

/** Archive the runs, or let them be archived no longer if all are. */
async function archive(page, ids) {
  const off = allArchived(page, ids);
  const { runs } = await change("/api/archive", { runs: ids, off });
  if (!off) page.select([]);
  await page.load();
  const back = trying(async () => {
    await change("/api/archive", { runs, off: !off });
    await page.load();
  });
  say(`${count(runs.length, "run")} ${off ? "no longer archived" : "archived"}`, { action: { name: "Undo", run: back } });
}

/** Remove runs and their children; return which. Where some are pinned, offer to unpin them, and return null. */
export async function removeRuns(ids, again) {
  try {
    return (await change("/api/remove", { runs: ids })).removed;
  } catch (error) {
    if (!error.pinned) throw error;
    sayPinned(error.pinned, again);
    return null;
  }
}

/** Say that pinned runs are not removed, with a button that unpins them; `again()` shows them anew. */
function sayPinned(runs, again) {
  const unpin = trying(async () => {
    await change("/api/pin", { runs: runs.map((run) => run.id), off: true });
    await again();
  });
  const words = runs.length > 1 ? `${count(runs.length, "run")} are` : `${runs[0].name} is`;
  say(`${words} pinned: nothing was removed.`, { bad: true, action: { name: "Unpin", run: unpin } });
}

async function remove(page, ids) {
  const removed = await removeRuns(ids, () => page.table.refresh());
  if (!removed) return;
  page.undoable = true;
  page.select([]);
  await page.load();
  const undo = trying(async () => {
    await change("/api/undo", { runs: removed });
    await page.load();
  });
  say(`${count(removed.length, "run")} removed`, { action: { name: "Undo", run: undo } });
}
