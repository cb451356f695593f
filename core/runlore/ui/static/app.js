// The shell: routes, live news, the theme, and files that are dropped.

import { ask, listen } from "./api.js";
import { here, outer } from "./base.js";
import * as compare from "./compare.js";
import { closePopover, fill, h, link, saidOf, say } from "./dom.js";
import * as find from "./find.js";
import { keysButton } from "./keys.js";
import { recall, remember, remembered } from "./memory.js";
import * as models from "./models.js";
import { repaint } from "./plot.js";
import * as run from "./run.js";
import * as runs from "./runs.js";

const PAGES = [
  [/^\/$/, runs, "Runs"],
  [/^\/run\/([^/]+)$/, run, "Run"],
  [/^\/compare$/, compare, "Compare"],
  [/^\/models$/, models, "Models"],
  [/^\/find$/, find, "Find by file"],
];

const main = h("main", {});
const nav = h("nav", { "aria-label": "Pages" });
const live = h("span", { class: "live" }, "not live");
const place = h("span", { class: "place" });
let page = null;

/** Go to an address of this page. */
export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", outer(address));
  show();
}

/** Show the page of the address. A page that is not ready when another is asked for is never shown. */
async function show(given = undefined) {
  closePopover();
  page?.close?.();
  page = null;
  const host = h("div", { class: "page" });
  fill(main, host);
  const [found, module, title] =
    PAGES.map(([pattern, ...rest]) => [pattern.exec(here()), ...rest]).find(([match]) => match) ?? [];
  mark(title);
  document.title = `${title ?? "Nothing here"} · runlore`;
  if (!found)
    return void fill(
      host,
      h("div", { class: "empty" }, h("h1", {}, "There is no such page"), h("p", {}, link("/", "All runs"))),
    );
  try {
    const made = await module.show(host, { parameter: found[1] && decodeURIComponent(found[1]), go, given });
    if (host.isConnected) page = made;
    else made.close?.();
  } catch (error) {
    fill(
      host,
      h(
        "div",
        { class: "empty" },
        h("h1", {}, "This can't be shown"),
        h("p", {}, saidOf(error)),
        h("p", {}, link("/", "All runs")),
      ),
    );
  }
}

function mark(title) {
  fill(
    nav,
    [
      ["/", "Runs"],
      ["/compare", "Compare"],
      ["/models", "Models"],
      ["/find", "Find by file"],
    ].map(([address, name]) => {
      const item = link(address, name);
      if (name === title) item.setAttribute("aria-current", "page");
      return item;
    }),
  );
}

function theme() {
  const chosen = remembered("theme", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = chosen;
  return chosen;
}

const turn = h(
  "button",
  {
    type: "button",
    class: "plain",
    "aria-label": "Light or dark",
    title: "Light or dark",
    onclick: () => {
      remember("theme", theme() === "dark" ? "light" : "dark");
      theme();
      repaint();
    },
  },
  "◐",
);

function follow() {
  listen(
    (news) => {
      page?.news?.(news);
    },
    (on, locked = false) => {
      live.classList.toggle("on", on);
      fill(live, on ? "live" : locked ? "started again: open the address that it printed" : "not live");
    },
  );
}

function watchDrops() {
  let over = null;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    if (!over) document.body.append((over = h("div", { class: "drop" }, "Drop a file to find the run that made it")));
  });
  const leave = () => {
    over?.remove();
    over = null;
  };
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) leave();
  });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    leave();
    const [file] = event.dataTransfer.files;
    if (!file) return;
    if (here() !== "/find") history.pushState(null, "", outer("/find"));
    show(file);
  });
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[data-inside]");
  if (
    !anchor ||
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  event.preventDefault();
  go(anchor.dataset.inside);
});
addEventListener("popstate", () => show());

if (location.hash.startsWith("#token=")) history.replaceState(null, "", location.pathname + location.search); // not needed
document.querySelector("link[rel=icon]").href = outer("/static/icon.svg"); // the relative one moves with the address
theme();
document.body.append(
  h(
    "header",
    {},
    h(
      "a",
      { class: "brand", href: outer("/"), "data-inside": "/" },
      h("img", { src: outer("/static/icon.svg"), alt: "" }),
      "runlore",
    ),
    nav,
    h("span", { class: "grow" }),
    place,
    live,
    keysButton(),
    turn,
  ),
  main,
);
watchDrops();
follow();
recall()
  .then(theme, () => {}) // what is wrong, the page will be told
  .then(() => show());
ask("/api/store")
  .then((store) => {
    fill(place, store.root);
    place.title = store.root;
  })
  .catch((error) => say(saidOf(error), { bad: true }));
