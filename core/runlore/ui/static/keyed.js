// Lists with a key in the address: each is a JSON list that begins with its key.

/** The lists by their keys, which may be any text; what is none is passed over. */
export function readKeyed(items = []) {
  const found = items.map((item) => {
    try {
      const [key, ...list] = JSON.parse(item);
      return [key, list];
    } catch {
      return [null]; // somebody changed the address
    }
  });
  return new Map(found.filter(([key]) => typeof key === "string"));
}

/** What the address has for lists by their keys. */
export const writeKeyed = (lists) => [...lists].map(([key, list]) => JSON.stringify([key, ...list]));

/** Lists by their keys with others in the place of some; null takes one away. */
export function withKeyed(lists, others) {
  const found = new Map([...lists, ...others]);
  for (const [key, list] of others) if (list === null) found.delete(key);
  return found;
}
