// Builds the page's nodes. Texts become text nodes, never markup, so recorded text is never read as HTML.

import { outer } from "./base.js";
import { text } from "./format.js";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;
const PEEK = 24; // pixels of what comes after a chosen tab
const PROPERTIES = new Set(["value", "checked", "disabled", "indeterminate", "hidden"]);

/** Text with hidden characters (control, direction, surrogates, blank letters) as escapes; line breaks and tabs stay. */
export function visible(text) {
  return text.replace(HIDDEN, (sign) =>
    sign === "\n" || sign === "\t" ? sign : `\\u${sign.codePointAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** An element with attributes, "on…" listeners, and children: nodes, texts, or nothing. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (name === "dot") node.style.setProperty("--dot", value);
    else node.setAttribute(name, value === true ? "" : visible(String(value)));
  }
  fill(node, ...children);
  return node;
}

/** Replace the children of a node. */
export function fill(node, ...children) {
  node.replaceChildren(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : document.createTextNode(visible(String(child))))),
  );
  return node;
}

/** A link within the page, handled by the router. */
export function link(address, ...children) {
  return h("a", { href: outer(address), "data-inside": address }, ...children);
}

export function runLink(id, name) {
  return link(`/run/${encodeURIComponent(id)}`, name || id);
}

/** A version of a model as a link to it, with its aliases. */
export function modelLink({ model, version, aliases }) {
  return [link(modelAddress(model), `${model} ${version}`), aliases.map((alias) => [" ", roleChip(alias)])];
}

export const modelAddress = (name) => `/models?name=${encodeURIComponent(name)}`;
export const roleChip = (words) => h("span", { class: "chip role" }, words);

/** A line of a popover that acts and closes it. */
export function offer(name, close, act) {
  const onclick = trying(async () => {
    close();
    await act();
  });
  return h("button", { type: "button", class: "plain", onclick }, name);
}

let said;

/** Show a message at the lower edge for a while, with a button to act on it. */
export function say(text, { bad = false, action = null } = {}) {
  if (!said) {
    said = h("div", { class: "said", role: "status", "aria-live": "polite" });
    document.body.append(said);
  }
  const line = h("div", { class: bad ? "bad" : "" }, h("span", {}, text));
  if (action)
    line.append(
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            line.remove();
            action.run();
          },
        },
        action.name,
      ),
    );
  said.append(line);
  setTimeout(() => line.remove(), bad ? 9000 : 6000);
}

/** What an error says; where the page's own code is at fault, the console has the place of it, too. */
export function saidOf(error) {
  if (/^(Type|Reference|Range)Error$/.test(error.name)) console.error(error);
  return error.message;
}

/** Run an action of a control, and show its error. */
export function trying(action) {
  return async (...given) => {
    try {
      return await action(...given);
    } catch (error) {
      if (error.name !== "AbortError") say(saidOf(error), { bad: true });
      return undefined;
    }
  };
}

/** A button that opens a box below it; `build(box, close)` fills it each time. */
export function popover(name, build, attributes = {}) {
  const button = h(
    "button",
    { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", ...attributes },
    name,
  );
  button.addEventListener("click", () =>
    button.getAttribute("aria-expanded") === "true" ? null : open(button, build),
  );
  return button;
}

let closeOpen = null;

/** Close the box that is open, if one is. */
export function closePopover() {
  closeOpen?.();
}

function open(button, build) {
  closeOpen?.();
  const named = button.getAttribute("aria-label") ?? button.textContent;
  const box = h("div", { class: "pop", role: "dialog", "aria-label": named, tabindex: -1 });
  const before = document.activeElement === document.body ? button : document.activeElement;
  const away = (event) => {
    if (!box.contains(event.target) && !button.contains(event.target)) close();
  };
  const key = (event) => {
    if (event.key === "Escape") {
      close();
      (before.isConnected ? before : button).focus();
    }
  };
  function close() {
    box.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", away, true);
    document.removeEventListener("keydown", key, true);
    closeOpen = null;
  }
  closeOpen = close;
  document.body.append(box);
  button.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", away, true);
  document.addEventListener("keydown", key, true);
  const settle = () => {
    lay(box, button.getBoundingClientRect());
    const focused = document.activeElement;
    if (focused === box || !box.contains(focused)) (box.querySelector("input, textarea, button, select") ?? box).focus();
  };
  const built = build(box, close);
  settle();
  built?.then?.(() => box.isConnected && settle());
}

/** Put a box below a place, or above it where there is more room. */
function lay(box, place) {
  const below = innerHeight - place.bottom - 12;
  const above = place.top - 12;
  const up = box.offsetHeight > below && above > below;
  box.style.maxHeight = `${Math.max(120, Math.min(up ? above : below, innerHeight * 0.7))}px`;
  box.style.top = up ? "auto" : `${place.bottom + 4}px`;
  box.style.bottom = up ? `${innerHeight - place.top + 4}px` : "auto";
  box.style.left = `${Math.max(8, Math.min(place.left, innerWidth - box.offsetWidth - 12))}px`;
}

/** A word as shells read it: in quotes where they would act upon something in it. */
export function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command on one line, with a button that copies what is shown: pasted, it runs nothing by itself. */
export function command(text) {
  const line = visible(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
  const button = h("button", { type: "button", "aria-label": `Copy: ${line}` }, "Copy");
  button.addEventListener(
    "click",
    trying(async () => {
      await navigator.clipboard.writeText(line);
      fill(button, "Copied");
      setTimeout(() => fill(button, "Copy"), 1500);
    }),
  );
  return h("div", { class: "command" }, h("code", { tabindex: 0 }, line), button);
}

export function debounce(wait, action) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), wait);
  };
}

/** Tabs by name; `choose(name)` is called with the chosen one. */
export function tabs(label, names, current, choose) {
  const row = h("div", { class: "tabs", role: "tablist", "aria-label": label });
  const entries = Object.entries(names);
  entries.forEach(([name, title], place) =>
    row.append(
      h(
        "button",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(name === current),
          tabindex: name === current ? 0 : -1,
          onclick: () => choose(name),
          onkeydown: (event) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (step) choose(entries[(place + step + entries.length) % entries.length][0]);
          },
        },
        title,
      ),
    ),
  );
  const reach = () => {
    const chosen = row.querySelector("[aria-selected=true]");
    const beyond = chosen ? chosen.offsetLeft - row.offsetLeft + chosen.offsetWidth - row.clientWidth : 0;
    if (beyond > 0) row.scrollLeft = beyond + PEEK;
  };
  requestAnimationFrame(reach); // once it is shown
  return row;
}

/** Controls with a button; Enter in a field of one line presses it. */
export function form(controls, name, act) {
  return h(
    "form",
    {
      class: "form",
      onsubmit: (event) => {
        event.preventDefault();
        act();
      },
    },
    controls,
    h("div", { class: "row" }, h("button", { class: "main", type: "submit" }, name)),
  );
}

/** A value as text; a long one is cut and opens on a click. */
export function shortened(value) {
  const words = text(value);
  return words.length <= 300 ? words : h("details", {}, h("summary", {}, `${words.slice(0, 120)}…`), words);
}
