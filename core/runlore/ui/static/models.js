// Models with names: the list of them, and one with its versions, aliases and history.

import { ask } from "./api.js";
import { command, fill, h, link, modelAddress, roleChip, runLink, shellWord, trying } from "./dom.js";
import { headed, keeper } from "./download.js";
import { ago, count, moment, size } from "./format.js";
import { read, write } from "./state.js";

export async function show(host, { go }) {
  const sheet = h("div", { class: "sheet models" });
  fill(host, sheet);
  const { name } = read();
  if (name) await one(sheet, name, go);
  else fill(sheet, list(await ask("/api/models")));
  return {};
}

const heads = (...names) => h("thead", {}, h("tr", {}, names.map(head)));
const head = (name) => h("th", name === "size" || name === "step" || name === "versions" ? { class: "number" } : {}, name);

function list(models) {
  if (!models.length) return nothingYet();
  return [
    h("div", { class: "told" }, h("h1", {}, "Models"), keeper("models", () => keptModels(models), () => document.querySelector(".sheet.models"))),
    h(
      "section",
      { class: "wide", tabindex: 0, "aria-label": "Models" },
      h(
        "table",
        { class: "list" },
        heads("model", "versions", "aliases", "changed", "by"),
        h(
          "tbody",
          {},
          models.map((model) =>
            h(
              "tr",
              {},
              h("td", {}, link(modelAddress(model.name), model.name)),
              h("td", { class: "number" }, model.versions),
              h(
                "td",
                {},
                h(
                  "span",
                  { class: "chips" },
                  Object.entries(model.aliases).map(([alias, version]) =>
                    roleChip(`${alias} ${version}`),
                  ),
                ),
              ),
              h("td", { title: moment(model.changed) }, ago(model.changed)),
              h("td", {}, model.user),
            ),
          ),
        ),
      ),
    ),
    models.flatMap((model) => damaged(model)),
  ];
}

/** By table the rows of a file, the head first. */
function keptModels(models) {
  const named = (aliases) => Object.entries(aliases).map((pair) => pair.join(" ")).join(", ");
  const line = ({ name, versions, aliases, changed, user }) => [name, versions, named(aliases), changed, user];
  return [["model", "versions", "aliases", "changed", "by"], ...models.map(line)];
}

function keptVersions({ versions }) {
  const head = ["version", "aliases", "note", "run", "name", "file", "sha256", "step", "size", "commit", "dirty", "data", "added", "by"];
  const line = (item) => [
    item.version, item.aliases.join(" "), item.note, item.run, item.run_name, item.artifact, item.sha256, item.step, item.size,
    item.code?.commit, item.code?.dirty, item.data, item.added, item.user,
  ];
  return [head, ...versions.map(line)];
}

function keptChanges({ history }) {
  return [["time", "by", "change", "why"], ...history.map((change) => [change.time, change.user, told(change), change.reason])];
}

function nothingYet() {
  return h(
    "div",
    { class: "empty" },
    h("h1", {}, "No models yet"),
    h("p", {}, "Give a model a name: its versions, what each alias such as prod names, and why it was changed."),
    h("pre", { tabindex: 0 }, 'run.log_artifact("model.pt", model="digits")'),
    h("p", {}, "or, for a run that is recorded,"),
    h("pre", { tabindex: 0 }, "runlore model add digits RUN --alias prod"),
  );
}

async function one(sheet, name, go) {
  const chosen = new Set(); // of the versions, by run
  let shown = null; // as it is, or was on a day
  const part = h("section", { class: "wide", tabindex: 0, "aria-label": "Versions" });
  const history = h("section", { class: "wide", tabindex: 0, "aria-label": "History" });
  const compare = h("button", { type: "button", class: "main", disabled: true }, "Compare");
  compare.addEventListener("click", () =>
    go(`/compare?${[...chosen].map((run) => `runs=${encodeURIComponent(run)}`).join("&")}`),
  );
  const day = h("input", { type: "date", "aria-label": "As it was on that day", value: read().at ?? "" });
  day.addEventListener(
    "change",
    trying(async () => {
      write({ at: day.value || null });
      await refresh();
    }),
  );
  const now = h("button", { type: "button" }, "Now");
  now.addEventListener("click", () => {
    day.value = "";
    day.dispatchEvent(new Event("change"));
  });

  function choose(box, run) {
    if (box.checked) chosen.add(run);
    else chosen.delete(run);
    compare.disabled = chosen.size < 2;
  }

  async function refresh() {
    chosen.clear();
    compare.disabled = true;
    const at = day.value || undefined;
    const model = (shown = await ask("/api/model", { name, at }));
    now.hidden = !at;
    fill(part, model.versions.length ? versions(model, choose) : h("p", { class: "quiet" }, none(at)));
    fill(history, changes(model));
    return model;
  }

  const model = await refresh();
  const aliases = Object.keys(model.aliases);
  const alias = aliases.includes("prod") ? "prod" : (aliases[0] ?? "latest");
  fill(
    sheet,
    h("p", { class: "quiet" }, link("/models", "Models")),
    h("h1", {}, name),
    h(
      "div",
      { class: "chips" },
      h("label", { class: "chips" }, "As it was on", day),
      now,
      h("span", { class: "grow" }),
      h("span", { class: "quiet" }, "Tick two versions to see why they differ"),
      compare,
    ),
    headed("Versions", `versions of ${name}`, () => keptVersions(shown)),
    part,
    headed("History", `history of ${name}`, () => keptChanges(shown)),
    history,
    damaged(model),
    h("h2", {}, "In the terminal"),
    command(`runlore restore ${shellWord(`model:${name}@${alias}`)} --to FOLDER`),
  );
}

const none = (at) => (at ? "It had no versions at the end of that day." : "All versions were withdrawn.");

function versions(model, choose) {
  const newest = [...model.versions].reverse();
  const more = model.count - newest.length;
  return [
    h(
      "table",
      { class: "list versions" },
      heads("", "version", "aliases", "run", "file", "step", "size", "code", "data", "added", "by"),
      h(
        "tbody",
        {},
        newest.map((version) => {
          const box = h("input", {
            type: "checkbox",
            "aria-label": `Compare version ${version.version}`,
            disabled: version.run_name === null,
            onchange: () => choose(box, version.run),
          });
          const data = Object.entries(version.data);
          return h(
            "tr",
            {},
            h("td", {}, box),
            h("td", {}, h("b", {}, version.version)),
            h(
              "td",
              {},
              h(
                "span",
                { class: "chips" },
                version.aliases.map((alias) => roleChip(alias)),
              ),
              version.note && h("div", { class: "quiet" }, version.note),
            ),
            h("td", {}, version.run_name === null ? "gone" : runLink(version.run, version.run_name)),
            h("td", { title: version.sha256 ?? "" }, version.artifact),
            h("td", { class: "number" }, version.step ?? "–"),
            h("td", { class: "number" }, size(version.size)),
            h("td", { class: "mono" }, version.code ? version.code.commit.slice(0, 8) + (version.code.dirty ? " +" : "") : "–"),
            h("td", { title: data.map(([key, hash]) => `${key} ${hash}`).join("\n") }, data.map(([key]) => key).join(", ") || "–"),
            h("td", { title: moment(version.added) }, ago(version.added)),
            h("td", {}, version.user),
          );
        }),
      ),
    ),
    more > 0 && h("p", { class: "quiet" }, `and ${count(more, "older version")}: runlore model ${model.name} --full`),
  ];
}

function changes(model) {
  if (!model.history.length) return h("p", { class: "quiet" }, "Nothing had happened to it yet.");
  const newest = [...model.history].reverse();
  return [
    h(
      "table",
      { class: "list" },
      heads("time", "by", "change", "why"),
      h(
        "tbody",
        {},
        newest.map((change) =>
          h(
            "tr",
            {},
            h("td", { class: "when", title: ago(change.time) }, moment(change.time)),
            h("td", { title: change.host }, change.user),
            h("td", {}, told(change)),
            h("td", {}, change.reason),
          ),
        ),
      ),
    ),
    model.changes > newest.length &&
      h("p", { class: "quiet" }, `and ${count(model.changes - newest.length, "older change")}: runlore model --json`),
  ];
}

function told({ what, version, alias, before, ended, text }) {
  if (what === "version") return text ? `version ${version}: ${text}` : `version ${version}`;
  if (what === "alias") return `${alias} ${before ?? "nothing"} → ${version ?? "nothing"}`;
  if (what === "withdrawn") return [`version ${version} withdrawn`, ...ended.map((name) => `${name} with it`)].join(", ");
  return version ? `note on version ${version}: ${text}` : `note: ${text}`;
}

function damaged(model) {
  return model.damage.map((line) => h("p", { class: "error" }, `Not readable: ${line}`));
}
