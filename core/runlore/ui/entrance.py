"""The page at the printed address, for those without the key, and the file that a browser is opened with.

The token stands behind the # of the address, which browsers send to nobody. A script sends it on in a form before the
page is loaded, so that the form's answer takes the place of the address in the tab. The form says, too, at which host
and path the browser is (`at`): behind a proxy that is another one than the server sees. Browsers keep such an address,
but hidden, in their history; a key that is typed into the field, or comes from the file, leaves no trace there.
"""

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse, Response

ENTRY = "/enter"
MAX_ENTRY_BYTES = 1000  # of a form with the token
SCRIPT = """
const given = new URLSearchParams(location.hash.slice(1)), up = new URL(document.body.dataset.up, location.href);
if (given.has("token")) {
  const form = document.body.appendChild(document.createElement("form"));
  const here = (location.pathname + location.search).slice(up.pathname.length);
  const sent = { token: given.get("token"), then: given.get("then") ?? (here === "enter" ? "" : here) };
  sent.at = location.host + up.pathname;
  for (const [name, value] of Object.entries(sent))
    Object.assign(form.appendChild(document.createElement("input")), { type: "hidden", name, value });
  document.body.hidden = true;
  Object.assign(form, { method: "post", action: new URL("enter", up).href }).submit();
}
"""
SCRIPT_HASH = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
KEPT_BACK = "<p>In a frame the browser may have kept it back: open the address in a tab of its own.</p>"
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>runlore</title><link rel="icon" href="data:,">
"""
STYLE = "font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em"


def locked(status: int, up: str, *, is_framed: bool) -> Response:
    """Return the page that asks for the key, or takes it from its address; `up` leads to the root."""
    return HTMLResponse(
        f"""{HEAD}<body style="{STYLE}" data-up="{escape(up)}"><h1 style="font-size:1.2em">This page needs its key</h1>
<p>Open the address that <code>runlore ui</code> printed in the terminal: it ends in <code>#token=…</code>.
A server that was started again has a new one.</p>{KEPT_BACK if is_framed else ""}
<form method="post" action="{escape(up)}enter"><label>Or paste what is behind <code>#token=</code> here:
<input type="password" name="token" autocomplete="off" required></label> <button>Open</button></form>
<noscript>It needs JavaScript, too.</noscript><script>{SCRIPT}</script></body></html>""",
        status,
    )


def unknown_host(why: str, name: str) -> Response:
    """Return the page for those who come by a name that the server does not know."""
    return HTMLResponse(
        f"""{HEAD}<body style="{STYLE}">
<h1 style="font-size:1.2em">This page is behind a proxy that it does not know</h1>
<p>Requests come here by another name: {escape(why)}. Start it with <code>runlore ui --allow-host {escape(name)}</code>,
or open the address that it printed in the terminal.</p></body></html>""",
        403,
    )


def earlier_start(place: str) -> Response:
    """Return the page for those who follow a link of an earlier start; `place` is what it leads to within the page.

    It leads nowhere by itself: who listened at that name meanwhile would learn the present one.
    """
    return HTMLResponse(
        f"""{HEAD}<body style="{STYLE}">
<h1 style="font-size:1.2em">This link is of an earlier start</h1>
<p>Each start of <code>runlore ui</code> has an address of its own. Open the one that it printed in the
terminal. There this view is at</p>
<pre style="white-space:pre-wrap;overflow-wrap:anywhere">{escape(place)}</pre>
<p><code>runlore ui --keep-address</code> has the same address at each start, so that links go on.</p></body></html>""",
        404,
    )


def opening_page(address: str, token: str) -> str:
    """Return a page that sends the token to the server at an address, for a browser that opens it as a file."""
    return f"""{HEAD}<body onload="document.forms[0].submit()"><form method="post" action="{escape(address)}enter">
<input type="hidden" name="token" value="{escape(token)}">
<input type="hidden" name="at" value="{escape(address.partition("://")[2])}">
<noscript><button>Open the page</button></noscript></form></body></html>"""
