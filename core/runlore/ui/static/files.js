// The files of a run with their roles, a download and a preview; its code and environment.

import { ask, runPath } from "./api.js";
import { command, fill, h, roleChip, shellWord, trying } from "./dom.js";
import { headed, keeper } from "./download.js";
import { count, number, size } from "./format.js";
import { contentAddress, lookInto, sourceView } from "./look.js";
import { pairs } from "./overview.js";
import { read } from "./state.js";

/** All files, those with a role first; a file that was dropped on the page is marked. */
export function artifacts(node, run) {
  const items = run.artifacts
    .filter((item) => item.kind !== "code")
    .sort((one, other) => (other.roles.length > 0) - (one.roles.length > 0));
  const { made } = read();
  const sought = made
    ? h(
        "p",
        { role: "status" },
        h("b", {}, "This run made the file that you dropped."),
        h("span", { class: "mono quiet" }, ` ${made}`),
      )
    : null;
  if (!items.length)
    return void fill(
      node,
      sought,
      h(
        "p",
        { class: "quiet" },
        "No files were recorded. ",
        h("code", {}, 'run.log_artifact("model.pt", kind="model")'),
        " records one.",
      ),
    );
  const scored = items.some((item) => item.value !== null);
  fill(
    node,
    sought,
    headed("Files", `files of ${run.name}`, () => keptFiles(items)),
    h(
      "table",
      { class: "list" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", {}, "name"),
          h("th", { class: "roomy" }, "kind"),
          h("th", { class: "number" }, "size"),
          h("th", { class: "number" }, "step"),
          scored ? h("th", { class: "number" }, "score") : null,
          h("th", {}, "roles"),
          h("th", { class: "roomy" }, "sha256"),
          h("th", { class: "roomy" }, "state"),
          h("th"),
        ),
      ),
      h(
        "tbody",
        {},
        items.flatMap((item) => artifact(run, item, scored, made)),
      ),
    ),
  );
}

/** The files as rows of a file, those of a folder behind it. */
function keptFiles(items) {
  const line = (item) => [
    [item.name, item.kind, item.size, item.step, item.monitor, item.value, item.roles.join(" "), item.sha256, item.path, stateOf(item)],
    ...(item.members ?? []).map(({ path, size: own }) => [`${item.name}/${path}`, null, own, ...Array(7).fill(null)]),
  ];
  return [["name", "kind", "size", "step", "monitor", "score", "roles", "sha256", "path", "state"], ...items.flatMap(line)];
}

const stateOf = (item) => (item.available ? "kept" : item.stored ? "lost by the store" : item.present ? "where it was written" : "gone");

function artifact(run, item, scored, made) {
  const inside = h("tr", { class: "hidden" }, h("td", { colspan: 9 }));
  const open = trying(async (event) => {
    const on = inside.classList.toggle("hidden") === false;
    event.target.setAttribute("aria-expanded", String(on));
    if (on)
      item.folder ? folder(inside.firstChild, run, item) : await lookInto(inside.firstChild, run.id, item.position);
  });
  const row = h(
    "tr",
    { class: made && item.sha256 === made ? "picked" : "" },
    h("td", { class: "mono", title: item.path ?? "" }, item.name),
    h("td", { class: "roomy" }, item.kind),
    h("td", { class: "number" }, size(item.size)),
    h("td", { class: "number" }, item.step ?? ""),
    scored
      ? h("td", { class: "number", title: item.monitor ?? "" }, item.value === null ? "" : number(item.value))
      : null,
    h(
      "td",
      {},
      item.roles.map((role) => roleChip(role)),
    ),
    h("td", { class: "mono quiet roomy", title: item.sha256 ?? "" }, (item.sha256 ?? "–").slice(0, 10)),
    h("td", { class: item.available ? "roomy" : "", title: item.why ?? "" }, stateOf(item)),
    h(
      "td",
      { class: "right", style: "white-space:nowrap" },
      item.available
        ? [
            h(
              "button",
              {
                type: "button",
                class: "plain",
                "aria-expanded": "false",
                "aria-label": `Look into ${item.name}`,
                onclick: open,
              },
              "Look",
            ),
            item.folder
              ? null
              : h(
                  "a",
                  { href: contentAddress(run.id, item.position), download: item.name.split("/").pop() },
                  "Download",
                ),
          ]
        : null,
    ),
  );
  return [row, inside];
}

function folder(node, run, item) {
  const below = h("div");
  fill(
    node,
    h(
      "table",
      { class: "list", style: "width:auto;min-width:50%" },
      h(
        "tbody",
        {},
        item.members.map((member) =>
          h(
            "tr",
            {},
            h("td", { class: "mono" }, member.path),
            h("td", { class: "number" }, size(member.size)),
            h(
              "td",
              {},
              h(
                "button",
                {
                  type: "button",
                  class: "plain",
                  "aria-label": `Look into ${member.path}`,
                  onclick: () => lookInto(below, run.id, item.position, member.path),
                },
                "Look",
              ),
              " ",
              h(
                "a",
                { href: contentAddress(run.id, item.position, member.path), download: member.path.split("/").pop() },
                "Download",
              ),
            ),
          ),
        ),
      ),
    ),
    below,
  );
}

const TITLES = { os: "Operating system" }; // of sections of the environment

/** The command, the code and the environment of a run. */
export function code(node, run) {
  const { packages = {}, ...sections } = run.environment;
  const files = run.artifacts.filter((item) => item.kind === "code");
  const looks = files
    .filter((item) => item.available)
    .map((item) => {
      const box = h("div");
      return [
        h("h2", {}, item.name),
        item.folder ? (folder(box, run, item), box) : (lookInto(box, run.id, item.position), box),
      ];
    });
  fill(
    node,
    h(
      "div",
      { class: "columns2" },
      h(
        "div",
        {},
        h("h2", {}, "Command"),
        command((run.command.argv ?? []).map(shellWord).join(" ") || "–"),
        h("p", { class: "quiet mono" }, `${run.command.cwd ?? ""} on ${run.command.host ?? "?"}`),
        pairs("Code", sections.git ?? {}, run),
        commitLink(sections.git ?? {}),
        run.environment.git ? null : h("p", { class: "quiet" }, "There was no git repository."),
      ),
      h(
        "div",
        {},
        Object.entries(sections)
          .filter(([name]) => name !== "git")
          .map(([name, values]) => pairs(TITLES[name] ?? name, values, run)),
        packagesOf(packages, run),
      ),
    ),
    source(run),
    looks.length ? looks : h("p", { class: "quiet" }, "There were no uncommitted changes, or none are kept."),
  );
}

/** The script of a run as it ran, once it has been read. */
function source(run) {
  const box = h("section");
  trying(async () => {
    const { path, text, commit, changed, why, notes } = await ask(`${runPath(run.id)}/source`);
    if (!path) return;
    const at = commit ? `as of commit ${commit.slice(0, 10)}${changed ? ", with the uncommitted changes" : ""}` : "as the store has kept it";
    fill(
      box,
      h("h2", {}, path, " ", h("span", { class: "quiet" }, text === null ? "" : at)),
      notes.map((note) => h("p", { class: "quiet" }, note)),
      text === null ? h("p", { class: "quiet" }, `Its source can't be shown: ${why}.`) : sourceView(path, text),
    );
  })();
  return box;
}

/** A link to the commit where the repository was cloned from; null where its address tells of no web server. */
function commitLink({ remote, commit }) {
  const parts = /^(?:https?:\/\/|ssh:\/\/|)(?:[^@/\s]+@)?([a-z0-9.-]+\.[a-z]+)(?::\d+)?[:/]([\w.~/-]+?)(?:\.git)?\/?$/i.exec(remote ?? "");
  if (!parts || !/^[0-9a-f]{40,64}$/.test(commit ?? "")) return null;
  const address = `https://${parts[1]}/${parts[2]}/commit/${commit}`;
  return h("p", {}, h("a", { href: address, target: "_blank", rel: "noreferrer" }, `This commit at ${parts[1]}`));
}

function packagesOf(packages, run) {
  const entries = Object.entries(packages);
  if (!entries.length) return null;
  const list = h(
    "details",
    {},
    h("summary", {}, count(entries.length, "package")),
    h(
      "dl",
      { class: "facts" },
      entries.flatMap(([name, version]) => [h("dt", { class: "mono" }, name), h("dd", { class: "mono" }, version)]),
    ),
  );
  return h("div", { class: "told" }, list, keeper(`packages of ${run.name}`, () => [["package", "version"], ...entries]));
}
