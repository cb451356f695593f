// Files that the page makes of what it shows: CSV of tables and curves, pictures of charts.

import { outer } from "./base.js";
import { fill, h, offer, popover } from "./dom.js";
import { back, plotly } from "./plot.js";
import { pixels, sketch } from "./sketch.js";

/** Give the browser a file to keep. */
export function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: fileName(name) }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** A button to keep what is shown: as CSV of `rows()`, its head first, and as a picture of a part of the page.
 *
 * `part` is a node, or a function that finds it; without it there is no picture. Of a plot, `more(plot)` returns what the
 * picture has beside what is on the screen, see `picture`.
 */
export function keeper(name, rows, part = null, more = () => ({})) {
  const table = async () => download(`${name}.csv`, csv(await rows()), "text/csv");
  const drawn = (format) => {
    const node = part instanceof Node ? part : part();
    return node.layout ? picture(node, name, format, more(node)) : sketched(node, name, format);
  };
  return popover(
    "⤓",
    (box, close) => {
      box.classList.add("offers");
      fill(
        box,
        offer("CSV", close, table),
        part && ["png", "svg"].map((format) => offer(format.toUpperCase(), close, () => drawn(format))),
      );
    },
    { class: "plain", "aria-label": `Download ${name}`, title: "Download" },
  );
}

/** The heading of a table, with a button to keep its `rows()`, or a picture of it: of a part, else of what the heading is in. */
export function headed(title, name, rows, part = null) {
  const head = h("div", { class: "told" }, h("h2", {}, title));
  head.append(keeper(name, rows, part ?? (() => head.parentElement)));
  return head;
}

/** The address of a view as one page that needs no server: of the table of runs ("/") or of a comparison. */
export const pageOf = (path) => outer(`/api/report?view=${encodeURIComponent(path + location.search)}`);

const fileName = (name) => name.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 120);

const FORMULA = /^'*[=+\-@\t\r\n＝＋－＠]/; // the wide signs count in spreadsheets of East Asia

/** Rows as CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe, as in `export`. */
export function csv(rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const words = typeof value === "object" ? JSON.stringify(value) : String(value);
    const isNumber = words.trim() !== "" && !Number.isNaN(Number(words));
    const safe = FORMULA.test(words) && !isNumber ? `'${words}` : words;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** A drawn chart as a picture, "png" (twice as fine as on the screen) or "svg".
 *
 * It may have other `data` than what is on the screen, what `layout` has instead, and more pixels: `right`, `down`.
 */
export async function picture(plot, name, format, { data = plot.data, layout = {}, right = 0, down = 0 } = {}) {
  const Plotly = await plotly();
  const { width, height } = plot.getBoundingClientRect();
  const figure = { data, layout: { ...plot.layout, paper_bgcolor: back(), ...layout } };
  const size = { width: width + right, height: height + down, scale: format === "png" ? 2 : 1 };
  const address = await Plotly.toImage(figure, { format, ...size });
  const content =
    format === "svg"
      ? decodeURIComponent(address.slice(address.indexOf(",") + 1))
      : Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (sign) => sign.charCodeAt(0));
  download(`${name}.${format}`, content, format === "svg" ? "image/svg+xml" : "image/png");
}

/** Keep what the page shows of a part as a picture. */
export async function sketched(part, name, format) {
  const found = sketch(part);
  if (format === "svg") download(`${name}.svg`, found.words, "image/svg+xml");
  else download(`${name}.png`, await pixels(found), "image/png");
}
