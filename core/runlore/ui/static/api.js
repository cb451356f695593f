// Questions to the server; what it refuses becomes an Error with its message.

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
  return text ? `${path}?${text}` : path;
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused({ message: "the server does not answer: is `runlore ui` still running?" }, 0);
  }
  const document = await response
    .json()
    .catch(() => ({ error: { message: `the server answered ${response.status}` } }));
  if (!response.ok) throw new Refused(document.error, response.status);
  return document;
}

/** Ask something; a list stands for a parameter that is repeated. */
export function ask(path, parameters = {}, signal = undefined) {
  return answer(fetch(address(path, parameters), { signal }));
}

/** Change something. */
export async function change(path, body = {}) {
  changes ??= (await ask("/api/session")).changes;
  return answer(
    fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-runlore-token": changes },
      body: JSON.stringify(body),
    }),
  );
}

export const runPath = (id) => `/api/runs/${encodeURIComponent(id)}`;

const NOTHING = { runs: [], gone: [], new: 0, more: false };

/** Listen to what is new; `heard(news)` gets {runs, gone, new, total, more}, `state(connected)` whether it listens.
 *
 * A page that nobody sees lets go: browsers keep six connections to a server, for all of its pages together.
 */
export function listen(heard, state) {
  let source = null;
  const open = () => {
    source = new EventSource("/api/live");
    source.addEventListener("hello", () => {
      state(true);
      heard({ ...NOTHING, hello: true }); // what came before was told to nobody
    });
    source.addEventListener("changed", (event) => heard(JSON.parse(event.data)));
    source.addEventListener("error", () => state(false));
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      open();
      heard({ ...NOTHING, more: true });
    }
  });
  if (!document.hidden) open();
}
