// Finds the run of a file. Its sha256 is computed in the browser, and nothing else is sent.

import { ask } from "./api.js";
import { fill, form, h, modelLink, runLink } from "./dom.js";
import { headed } from "./download.js";
import { size } from "./format.js";
import { read, write } from "./state.js";

const MOST = 2 ** 30; // bytes of a file that a browser can hash

export async function show(host, { go, given }) {
  const answer = h("section", { "aria-live": "polite", style: "margin-top:18px" });
  const choose = h("input", {
    type: "file",
    class: "unseen",
    "aria-label": "A file to look for",
    onchange: (event) => search(event.target.files[0]),
  });
  const target = h(
    "div",
    { class: "target" },
    h("p", {}, "Drop a file anywhere on this page, or"),
    h("button", { type: "button", class: "main", onclick: () => choose.click() }, "Choose a file"),
    choose,
    h("p", {}, "Its sha256 is computed in this browser; the file is sent nowhere."),
  );
  const hash = h("input", {
    type: "text",
    class: "mono",
    style: "width:520px",
    placeholder: "or a sha256: 6 digits are enough",
    "aria-label": "A sha256",
    value: read().sha256 ?? "",
  });
  fill(
    host,
    h(
      "div",
      { class: "sheet" },
      h("h1", {}, "Which run made this file?"),
      h("p", {}),
      target,
      h(
        "div",
        { style: "margin-top:14px" },
        form([hash], "Find", () => find(hash.value.trim().toLowerCase(), "")),
      ),
      answer,
    ),
  );

  async function search(file) {
    if (!file) return;
    const command = h("pre", { class: "code output", tabindex: 0 }, `runlore which-run ${quoted(file.name)}`);
    if (file.size > MOST || !globalThis.crypto?.subtle) {
      const why =
        file.size > MOST
          ? `${size(file.size)} is more than a browser can hash at once.`
          : "This browser hashes files only on pages of this machine.";
      fill(answer, h("p", {}, why, " The terminal can:"), command);
      return;
    }
    fill(
      answer,
      h("p", {}, `Computing the sha256 of ${file.name} (${size(file.size)}) …`),
      h("progress", { "aria-label": "Computing" }),
    );
    try {
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      await find([...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(""), file.name);
    } catch (error) {
      fill(answer, h("p", {}, `${file.name} could not be read here: ${error.message} The terminal can:`), command);
    }
  }

  async function find(sha256, name) {
    write({ sha256 });
    hash.value = sha256;
    try {
      const found = await ask("/api/which-run", { sha256 });
      const writers = [...new Set(found.found.filter((item) => item.relation === "wrote").map((item) => item.run))];
      if (name && writers.length === 1) {
        go(`/run/${writers[0]}?tab=artifacts&made=${found.sha256}`);
        return;
      }
      fill(answer, found.found.length ? results(found, name) : nothing(found, name));
    } catch (error) {
      fill(answer, h("p", {}, error.message));
    }
  }

  if (given) search(given);
  else if (hash.value) find(hash.value, "");
  return {};
}

const HEADS = ["run", "relation", "as", "step", "epoch", "role", "found by"];

/** The runs as rows of a file. */
function keptRuns({ found }) {
  const models = (item) => item.models.map(({ model, version }) => `${model} ${version}`).join(", ");
  const line = (item) => [item.name, item.relation, item.artifact, item.step, item.epoch, item.roles.join(" "), item.match];
  return [["id", ...HEADS, "models"], ...found.map((item) => [item.run, ...line(item), models(item)])];
}

function results(found, name) {
  return [
    headed(name ? `Runs that know ${name}` : "Runs that know it", "runs that know it", () => keptRuns(found)),
    h(
      "table",
      { class: "list" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          HEADS.map((head) => h("th", {}, head)),
        ),
      ),
      h(
        "tbody",
        {},
        found.found.map((item) =>
          h(
            "tr",
            {},
            h("td", {}, runLink(item.run, item.name)),
            h("td", {}, item.relation),
            h("td", {}, item.artifact, item.models.map((model) => [" ", modelLink(model)])),
            h("td", {}, item.step ?? "–"),
            h("td", {}, item.epoch ?? "–"),
            h("td", {}, item.roles.join(", ")),
            h("td", {}, item.match),
          ),
        ),
      ),
    ),
  ];
}

function nothing(found, name) {
  return [
    h("h2", {}, "No run has a file with this content"),
    found.hints.map((hint) => h("p", { class: "quiet" }, hint)),
    h("p", {}, "A model that was converted or saved again is found by the weights in it, in the terminal:"),
    h("pre", { class: "code output", tabindex: 0 }, `runlore which-run ${quoted(name || "FILE")}`),
  ];
}

const quoted = (name) => (/^[\w./+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);
