// Choices of the page's user, as texts by name: the server keeps them for the store, the browser for this address, too.

import { ask, change } from "./api.js";

const PREFIX = "runlore-";
const UNSENT = `${PREFIX}unsent`; // names that the server may not have yet
const known = new Map(); // those that came last stand last
let sent = Promise.resolve(); // done when the server has been told all
let fresh = new Set(); // names of choices that were made since it was asked last

/** A choice, or what counts without one. */
export const remembered = (name, otherwise) => known.get(name) ?? otherwise;

/** The choices whose names begin with this, as pairs of the rest of the name and the text; the newest first. */
export const allRemembered = (start) =>
  [...known].filter(([name]) => name.startsWith(start)).map(([name, value]) => [name.slice(start.length), value]).reverse();

/** Keep a choice; null forgets it. What is awaited is why the server has not kept it, or null: the browser has it. */
export function remember(name, value) {
  put(name, value);
  fresh.add(name);
  note((names) => names.add(name));
  return send(name);
}

/** Take over what the server has kept, at the start of a page; send it what it could not be told. */
export async function recall() {
  await sent;
  fresh = new Set();
  const { settings, kept } = await ask("/api/settings");
  if (!kept) return;
  const unsent = note();
  const isOwn = (name) => unsent.has(name) || fresh.has(name);
  for (const name of [...known.keys()]) if (!isOwn(name) && !Object.hasOwn(settings, name)) put(name, null);
  for (const [name, value] of Object.entries(settings)) if (!isOwn(name)) put(name, value);
  for (const name of unsent) if (!fresh.has(name)) send(name);
}

/** Tell the server what a choice is, behind those before; what it refuses is not sent again. */
function send(name) {
  sent = sent.then(async () => {
    let refusal = null;
    try {
      await change("/api/settings", { name, value: known.get(name) });
    } catch (error) {
      refusal = error;
    }
    if (!refusal || refusal.status === 400) note((names) => names.delete(name));
    return refusal;
  });
  return sent;
}

function put(name, value) {
  known.delete(name);
  if (value !== null) known.set(name, value);
  store((own) => (value === null ? own.removeItem(PREFIX + name) : own.setItem(PREFIX + name, value)));
}

/** Change the names that are not sent; return them. */
function note(change = () => {}) {
  let names = new Set();
  store((own) => {
    names = new Set(JSON.parse(own.getItem(UNSENT) ?? "[]"));
    change(names);
    own.setItem(UNSENT, JSON.stringify([...names]));
  });
  return names;
}

function store(act) {
  try {
    act(localStorage);
  } catch {
    // storage may be switched off, or full, or something else wrote there
  }
}

store((own) => {
  for (const key of Object.keys(own).filter((key) => key.startsWith(PREFIX) && key !== UNSENT))
    known.set(key.slice(PREFIX.length), own.getItem(key));
});
