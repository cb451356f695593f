// Where the page lies: below a path of its own where a proxy serves it there. Within the page, addresses begin with "/".

const BASE = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** The address that the browser must ask for, of an address within the page. */
export const outer = (address) => (address.startsWith("/") ? BASE + address : address);

/** The path within the page that the browser shows. */
export const here = () => {
  const path = location.pathname;
  return path.startsWith(`${BASE}/`) ? path.slice(BASE.length) : "/";
};
