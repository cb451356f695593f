// The box for a query: it completes keys, and shows errors below the query.

import { ask } from "./api.js";
import { debounce, fill, h } from "./dom.js";

const FIELDS = ["status", "experiment", "name", "id", "parent", "started", "ended", "duration", "notes"];
const WORDS = ["archived", "pinned", "and", "or", "not", "in", "is None", "like(", "match(", 'ago("7d")'];
const STATUSES = ["running", "finished", "failed", "interrupted", "crashed", "silent", "unreadable", "damaged"];
const MOST = 12;

/** The box; `apply(text)` is called with a query that the server understands, `leave()` for the key that leads down. */
export function queryBox(text, apply, leave) {
  const list = h("ul", { class: "choices hidden", role: "listbox", id: "query-choices", "aria-label": "Completions" });
  const complaint = h("div", { class: "complaint hidden", role: "alert" });
  const input = h("input", {
    type: "text",
    value: text,
    spellcheck: "false",
    autocomplete: "off",
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": "query-choices",
    "aria-autocomplete": "list",
    "aria-label": "Filter runs by a query",
    placeholder: "Find runs: a word, or params.lr < 0.1 and metrics.val_loss.min < 0.3",
  });
  const box = h("div", { class: "query" }, input, complaint, list);
  let keys = null;
  let choices = [];
  let current = -1;
  let applied = text;

  async function offer() {
    keys ??= await ask("/api/keys").catch(() => ({}));
    const { word, start } = wordBefore(input.value, input.selectionStart);
    choices = word ? completions(word, keys, input.value.slice(0, start)) : [];
    current = choices.length && choices[0].text !== word ? 0 : -1;
    if (choices.length === 1 && choices[0].text === word) choices = [];
    draw();
  }

  function draw() {
    list.classList.toggle("hidden", !choices.length);
    input.setAttribute("aria-expanded", String(choices.length > 0));
    fill(
      list,
      choices.map((choice, place) =>
        h(
          "li",
          {
            role: "option",
            id: `query-choice-${place}`,
            "aria-selected": String(place === current),
            onpointerdown: (event) => {
              event.preventDefault();
              take(choice);
            },
          },
          h("span", {}, choice.text),
          h("span", {}, choice.about),
        ),
      ),
    );
    if (current >= 0) {
      input.setAttribute("aria-activedescendant", `query-choice-${current}`);
      list.children[current]?.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function take(choice) {
    const { start, end } = wordBefore(input.value, input.selectionStart);
    input.setRangeText(choice.text, start, end, "end");
    hide();
    input.focus();
    check();
  }

  function hide() {
    choices = [];
    current = -1;
    draw();
  }

  function complain(error) {
    box.classList.toggle("wrong", Boolean(error));
    input.setAttribute("aria-invalid", String(Boolean(error)));
    complaint.classList.toggle("hidden", !error || choices.length > 0);
    if (error)
      fill(complaint, error.query ? `${error.query}\n${" ".repeat(error.column)}^\n` : null, h("b", {}, error.message));
  }

  /** Apply the query if the server understands it; else show the error if `loud` is true. */
  async function submit(loud) {
    const asked = input.value.trim();
    const wrong = asked ? (await ask("/api/check", { where: asked }).catch((error) => ({ error }))).error : null;
    if (!box.isConnected || input.value.trim() !== asked) return;
    if (wrong ? !loud : asked === applied) return; // what is said of the query that is applied stays
    const search = wrong && !wrong.status ? asSearch(asked) : null;
    if (search) input.value = search;
    complain(search ? null : wrong);
    if (wrong && !search) return;
    applied = search ?? asked;
    apply(applied);
  }

  /** While somebody types, apply queries that are complete; errors are shown only on Enter. */
  const check = debounce(350, () => submit(false));

  input.addEventListener("input", () => {
    complain(null);
    offer();
    check();
  });
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!choices.length && event.key === "ArrowUp") return;
      event.preventDefault();
      if (!choices.length) return void leave();
      current = (current + (event.key === "ArrowDown" ? 1 : -1) + choices.length) % choices.length;
      draw();
    } else if (event.key === "Tab" && current >= 0) {
      event.preventDefault();
      take(choices[current]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      hide();
      submit(true);
    } else if (event.key === "Escape") {
      if (choices.length) hide();
      else complain(null);
    }
  });
  return {
    node: box,
    complain,
    /** Show another query, which is applied already. */
    show(query) {
      input.value = applied = query;
      complain(null);
    },
    hint(lines) {
      complaint.classList.toggle("hidden", !lines.length);
      if (lines.length) fill(complaint, lines.map((line) => line.split("\n")[0]).join("\n"));
    },
  };
}

/** Words that are no query as one: runs with each of them in their name, experiment or notes; null for other texts. */
function asSearch(text) {
  if (!/^[\p{L}\p{N}_./: -]+$/u.test(text)) return null;
  const has = (field, word) => `like(${field}, ${JSON.stringify(`%${word}%`)})`;
  return text
    .split(/\s+/)
    .filter((word) => word !== "and")
    .map((word) => `(${["name", "experiment", "notes"].map((field) => has(field, word)).join(" or ")})`)
    .join(" and ");
}

/** The field that is typed before a position: params.lr, params["a b, or a text after ==. */
function wordBefore(text, place) {
  const before = text.slice(0, place);
  const [word] = /(?:[A-Za-z_][\w.]*(?:\["[^"]*"?\]?)?[\w.]*|"[^"]*)$/.exec(before) ?? [""];
  return { word, start: place - word.length, end: place };
}

function completions(word, keys, before) {
  const found = [];
  const add = (text, about) => {
    if (found.length < MOST) found.push({ text, about });
  };
  if (word.startsWith('"')) {
    if (/status\s*(==|!=|in \[.*)\s*$/.test(before))
      STATUSES.filter((name) => `"${name}`.startsWith(word)).forEach((name) => add(`"${name}"`, "status"));
    return found;
  }
  const low = word.toLowerCase();
  const all = Object.entries(keys).flatMap(([table, items]) => items.map((item) => ({ ...item, table })));
  const whole = all.find((item) => item.field === word.replace(/\.(\w*)$/, "") && item.table === "metrics");
  if (whole && word !== whole.field) {
    for (const name of ["last", "min", "max", "count"])
      if (`${whole.field}.${name}`.startsWith(word)) add(`${whole.field}.${name}`, "of a metric");
  }
  for (const name of [...FIELDS, ...WORDS])
    if (name.startsWith(word) && name !== word) add(name, FIELDS.includes(name) ? "of every run" : "");
  const starts = all.filter((item) => item.field.toLowerCase().startsWith(low));
  const contains = all.filter(
    (item) => !starts.includes(item) && low.length > 1 && item.key.toLowerCase().includes(low),
  );
  for (const item of [...starts, ...contains]) add(item.field, item.table === "env" ? "" : `${item.runs} runs`);
  return found;
}
