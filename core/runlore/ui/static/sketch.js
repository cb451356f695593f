// A part of the page as a picture: an SVG that needs nothing else, drawn in the styles that the browser has computed.

import { back } from "./plot.js";

const SVG = "http://www.w3.org/2000/svg";
const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family", "font-weight", "text-anchor", "paint-order"];
// What acts and says nothing; the heads of columns and the names of groups are buttons that say something.
const CONTROLS = "input, select, textarea, .unseen, button:not(th *, td *), button.of, button.eye, .told button, [aria-haspopup]:not(.pick)";
const SIDES = ["Top", "Right", "Bottom", "Left"];
const NO_XML = /[\ufffe\uffff]/g; // signs that no XML may hold; others that are hidden are escapes in the page already
const MARGIN = 12; // pixels around it
const FINE = 2; // pixels of a PNG for one of the screen
const MOST = 16_000; // pixels of a side of it that browsers draw

/** The node, without its controls, as {words, width, height}: the text of an SVG, and its size in pixels. */
export function sketch(node) {
  const { left, top, width, height } = node.getBoundingClientRect();
  const root = shape("svg", {});
  const ground = shape("rect", { fill: back() });
  root.append(ground);
  const seen = { low: top }; // where the lowest thing that is drawn ends: nothing is kept of a pane below it
  const paper = document.createElement("canvas").getContext("2d");
  within({ root, left: left - MARGIN, top: top - MARGIN, paper, above: [], seen }, (pen) => part(pen, node));
  const size = { width: Math.ceil(width) + 2 * MARGIN, height: Math.ceil(Math.min(height, seen.low - top)) + 2 * MARGIN };
  for (const sheet of [root, ground]) for (const side of ["width", "height"]) sheet.setAttribute(side, size[side]);
  root.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  return { words: new XMLSerializer().serializeToString(root).replace(NO_XML, "\ufffd"), ...size };
}

/** Such a picture as a PNG, twice as fine as the screen unless it is too large for that. */
export async function pixels({ words, width, height }) {
  const address = URL.createObjectURL(new Blob([words], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const scale = Math.min(FINE, MOST / Math.max(width, height));
    const canvas = Object.assign(document.createElement("canvas"), { width: width * scale, height: height * scale });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Draw with a pen, and above that what stays in sight while the rest is scrolled. */
function within(pen, draw) {
  draw(pen);
  const above = pen.above.sort((one, other) => one.level - other.level);
  for (const { node } of above) part({ ...pen, above: [] }, node);
}

/** Draw an element, what it holds after it. */
function part(pen, node) {
  const style = getComputedStyle(node);
  if (!node.checkVisibility({ visibilityProperty: true }) || node.matches(CONTROLS)) return;
  const place = node.getBoundingClientRect();
  if (node.namespaceURI === SVG) return void put(pen, drawing(pen, node), place.bottom);
  box(pen, place, style);
  mark(pen, place, getComputedStyle(node, "::before"));
  const isWindow = style.overflowX !== "visible" && style.textOverflow !== "ellipsis";
  if (isWindow) within(cropped(pen, node), (inner) => content(inner, node, style));
  else content(pen, node, style);
}

function put(pen, drawn, low) {
  pen.root.append(drawn);
  pen.seen.low = Math.max(pen.seen.low, low);
}

/** The dot that a style puts before a text. */
function mark(pen, { left, top, height }, style) {
  const size = parseFloat(style.width);
  if (style.content !== '""' || style.position === "absolute" || !size) return;
  box(pen, { left, top: top + (height - size) / 2, width: size, height: size }, style);
}

function content(pen, node, style) {
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) lines(pen, child, node, style);
    if (child.nodeType !== Node.ELEMENT_NODE) continue;
    const { position, zIndex } = getComputedStyle(child);
    if (position === "sticky") pen.above.push({ node: child, level: Number(zIndex) || 0 });
    else part(pen, child);
  }
}

/** A pen for what an element shows of its content. */
function cropped(pen, node) {
  const { left, top, width, height } = node.getBoundingClientRect();
  const root = shape("svg", { x: left - pen.left, y: top - pen.top, width, height });
  pen.root.append(root);
  return { ...pen, root, left, top, above: [] };
}

/** What is an SVG already, with its styles. */
function drawing(pen, node) {
  const copy = node.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [node, ...node.querySelectorAll("*")].forEach((original, at) => {
    const style = getComputedStyle(original);
    copies[at].removeAttribute("class");
    for (const name of KEPT) copies[at].setAttribute(name, style.getPropertyValue(name));
  });
  const { left, top } = node.getBoundingClientRect();
  copy.setAttribute("x", left - pen.left);
  copy.setAttribute("y", top - pen.top);
  return copy;
}

/** The background of an element and its border; of sides that differ, each. */
function box(pen, { left, top, width, height }, style) {
  const [x, y] = [left - pen.left, top - pen.top];
  const sides = SIDES.map((side) => ({
    wide: style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]),
    colour: style[`border${side}Color`],
  }));
  const [first] = sides;
  const framed = first.wide > 0 && sides.every(({ wide }) => wide > 0);
  const filled = style.backgroundColor !== "rgba(0, 0, 0, 0)";
  const radius = style.borderTopLeftRadius;
  const round = radius.endsWith("%") ? (parseFloat(radius) / 100) * width : parseFloat(radius);
  if (filled || framed) {
    const inset = framed ? first.wide / 2 : 0;
    const size = { x: x + inset, y: y + inset, width: Math.max(0, width - 2 * inset), height: Math.max(0, height - 2 * inset), rx: round };
    const line = framed ? { stroke: first.colour, "stroke-width": first.wide } : {};
    if (framed && style.borderTopStyle === "dashed") line["stroke-dasharray"] = "3 2";
    put(pen, shape("rect", { ...size, fill: filled ? style.backgroundColor : "none", ...line }), top + height);
  }
  const places = [
    ({ wide }) => ({ x, y, width, height: wide }),
    ({ wide }) => ({ x: x + width - wide, y, width: wide, height }),
    ({ wide }) => ({ x, y: y + height - wide, width, height: wide }),
    ({ wide }) => ({ x, y, width: wide, height }),
  ];
  sides.forEach((side, at) => {
    const own = side.wide > 0 && !(framed && side.wide === first.wide && side.colour === first.colour);
    if (own) put(pen, shape("rect", { ...places[at](side), fill: side.colour }), top + height);
  });
}

/** The lines of a text, each where the browser has it; one that is cut ends in an ellipsis. */
function lines(pen, text, node, style) {
  pen.paper.font = style.font;
  const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = pen.paper.measureText("x");
  const right = style.textOverflow === "ellipsis" ? node.getBoundingClientRect().right : Infinity;
  for (const { words, left, top, height, end } of linesOf(text)) {
    const shown = end > right + 1 ? cut(pen.paper, words, right - left) : words;
    const isRight = ["right", "end"].includes(style.textAlign);
    const line = shape(
      "text",
      {
        x: (isRight ? Math.min(end, right) : left) - pen.left,
        y: top - pen.top + (height + above - below) / 2,
        fill: style.color,
        "font-family": style.fontFamily,
        "font-size": style.fontSize,
        "font-weight": style.fontWeight,
        "text-anchor": isRight ? "end" : "start",
      },
      shown,
    );
    line.setAttribute("xml:space", "preserve");
    put(pen, line, top + height);
  }
}

/** The words of a text by the lines that they stand in, and where. */
function linesOf(text) {
  const range = document.createRange();
  const found = [];
  for (const { index, 0: word } of text.data.matchAll(/\S+\s*/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.trimEnd().length);
    const { left, right, top, height } = range.getBoundingClientRect();
    const last = found.at(-1);
    if (height === 0) continue;
    if (last && Math.abs(last.top - top) < height / 2) Object.assign(last, { words: last.words + word, end: right });
    else found.push({ words: word, left, top, height, end: right });
  }
  return found.map((line) => ({ ...line, words: line.words.trimEnd() }));
}

function cut(paper, words, width) {
  const signs = [...words];
  while (signs.length && paper.measureText(`${signs.join("")}…`).width > width) signs.pop();
  return `${signs.join("")}…`;
}
