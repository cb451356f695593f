// Requests to the server; a refusal becomes an Error with the server's message.

import { outer } from "./base.js";

let changes = null;

export class Refused extends Error {
  constructor(document, status) {
    super(document.message);
    Object.assign(this, document, { status });
  }
}

function address(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== false) query.append(name, item === true ? "1" : item);
    }
  }
  const text = query.toString();
  return outer(text ? `${path}?${text}` : path);
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused({ message: "the server does not answer: is `runlore ui` still running?" }, 0);
  }
  const document = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refused({ message: `the server's answer can't be read (${response.status})` }, response.status);
  });
  if (!response.ok) throw new Refused(document.error, response.status);
  return document;
}

/** Ask a question; a list is sent as a repeated parameter. */
export function ask(path, parameters = {}, signal = undefined) {
  return answer(fetch(address(path, parameters), { signal }));
}

/** Ask for a change. */
export async function change(path, body = {}) {
  changes ??= (await ask("/api/session")).changes;
  return answer(
    fetch(outer(path), {
      method: "POST",
      headers: { "content-type": "application/json", "x-runlore-token": changes },
      body: JSON.stringify(body),
    }),
  );
}

export const runPath = (id) => `/api/runs/${encodeURIComponent(id)}`;

const NOTHING = { runs: [], gone: [], new: 0, more: false };

const AGAIN_MS = 3000; // until a stream that the browser has given up is opened again

/** Listen to the live stream: `heard(news)` gets {runs, gone, new, total, more}, `state(connected, locked)` flags.
 *
 * `locked` is true where a server answers that was started again and has another key.

 * A hidden page disconnects: browsers keep only six connections to a server, for all of its pages together.
 */
export function listen(heard, state) {
  let source = null;
  const open = () => {
    source = new EventSource(outer("/api/live"));
    source.addEventListener("hello", () => {
      state(true);
      heard({ ...NOTHING, hello: true }); // changes since the page was last connected are unknown
    });
    source.addEventListener("changed", (event) => heard(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      state(false);
      if (source?.readyState === EventSource.CLOSED) setTimeout(again, AGAIN_MS, source);
    });
  };
  const again = (given) => {
    if (given !== source) return; // it was closed meanwhile, or opened by something else
    ask("/api/store").then(open, (error) => {
      const locked = error.status >= 400 && error.status < 500; // another key, or another name
      state(false, locked);
      if (!locked) setTimeout(again, AGAIN_MS, given);
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const goOn = () => {
    if (source || document.hidden) return;
    open();
    heard({ ...NOTHING, more: true });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : goOn()));
  window.addEventListener("pagehide", close); // a browser complains of a stream that it has to cut off …
  window.addEventListener("pageshow", (event) => event.persisted && goOn()); // … and keeps no page that has one
  if (!document.hidden) open();
}
