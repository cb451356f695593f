// The state of the page is in its address, so a copied link shows the same.

const LISTS = ["cols", "sel", "group", "over", "dims", "dlog", "brush", "runs", "top", "hide", "with", "less", "ys"];

/** The state in the address, lists as arrays. */
export function read() {
  const query = new URLSearchParams(location.search);
  const found = Object.fromEntries(query.entries());
  for (const name of LISTS) found[name] = query.getAll(name);
  return found;
}

/** Change a part of the state; null removes a key. */
export function write(patch, { push = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(patch)) {
    query.delete(name);
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== "" && item !== false)
        query.append(name, item === true ? "1" : String(item));
    }
  }
  const text = query.toString();
  const address = location.pathname + (text ? `?${text}` : "");
  if (address === location.pathname + location.search) return;
  if (push) history.pushState(null, "", address);
  else history.replaceState(history.state, "", address);
}
