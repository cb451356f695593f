"""Only the holder of the token talks to the server, by its own name, from its own page."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.datastructures import Headers

from runlore import Store
from runlore.errors import SettingError
from runlore.ui.reach import Reach
from runlore.ui.server import Server
from tests.commands import runlore
from tests.ui.serving import Answer, Serve, Served

QUESTIONS = [
    "/api/runs",
    "/api/store",
    "/api/session",
    "/api/openapi.json",
    "/api/live",
    "/static/app.js",
    "/plotly.min.js",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a store with one run."""
    store = Store(tmp_path_factory.mktemp("guarded") / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNLORE_QUIET", "1")
        with store.start_run("only", params={"lr": 0.1}) as run:
            run.log_metrics({"loss": 1.0})
    served = Served(store.root)
    yield served
    served.end()


@pytest.mark.parametrize("path", QUESTIONS)
def test_nothing_is_told_without_the_token(served: Served, path: str) -> None:
    for name, value in (("X", "x"), ("Authorization", "Bearer wrong"), ("Cookie", f"runlore={served.token}")):
        answer = served.request("GET", path, None, key=False, **{name: value})
        assert answer.status == 401
        assert b"only" not in answer.body
        assert served.token.encode() not in answer.body
    assert served.request("GET", f"{path}?token=wrong", key=False).status == 401


def test_a_page_without_the_token_says_what_to_do(served: Served) -> None:
    for path in ("/", "/run/x", "/nowhere"):
        answer = served.request("GET", path, key=False)
        assert answer.status == 401
        assert b"runlore ui" in answer.body
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_address_trades_its_token_for_a_cookie(served: Served) -> None:
    answer = served.request("GET", f"/?tab=charts&token={served.token}", key=False)
    assert (answer.status, answer.headers["location"]) == (303, "./?tab=charts")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    value = cookie.partition(";")[0]
    assert served.request("GET", "/api/store", key=False, Cookie=value).status == 200
    assert served.request("GET", "/api/store", key=False, Cookie=f'a="; b; {value}; c=d').status == 200
    assert served.request("GET", f"/api/store?token={served.token}", key=False).status == 401


def test_the_cookie_is_for_the_folder_of_the_page_alone(served: Served) -> None:
    """Behind a proxy others have other folders: a link into the page leads to its root first, which sets the cookie."""
    inside = served.request("GET", f"/run/k3f9?tab=charts&token={served.token}", key=False)
    assert (inside.status, "set-cookie" in inside.headers) == (303, False)
    up, _, query = inside.headers["location"].partition("?")
    assert up == "../"
    root = served.request("GET", f"/?{query}", key=False)
    assert (root.status, root.headers["location"]) == (303, "./run/k3f9?tab=charts")
    assert "path" not in root.headers["set-cookie"].lower()


@pytest.mark.parametrize("then", ["//evil.example/", "%5C%5Cevil.example", "https:%2F%2Fevil.example", "%2F%2Fevil"])
def test_what_follows_leads_to_no_other_host(served: Served, then: str) -> None:
    answer = served.request("GET", f"/?token={served.token}&then={then}", key=False)
    joined = urljoin("http://127.0.0.1:1/lab/", answer.headers["location"])
    assert joined.startswith("http://127.0.0.1:1/lab/")
    assert served.request("GET", f"/?token=wrong&then={then}", key=False).status == 401


def test_the_address_leads_to_no_other_host(served: Served) -> None:
    answer = served.request("GET", f"//evil.example/?token={served.token}", key=False)
    assert answer.headers["location"].partition("?")[0] == "../../"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "", "10.0.0.1", "[::2]", "a@b:c:d"]
)
def test_another_name_is_refused(served: Served, host: str) -> None:
    answer = served.request("GET", "/api/store", Host=host.format(port=served.port))
    assert answer.status == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:99", "[::1]:1"])
def test_names_of_this_machine_are_not(served: Served, host: str) -> None:
    assert served.request("GET", "/api/store", Host=host).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
def test_other_origins_are_refused(served: Served, origin: str) -> None:
    assert served.request("GET", "/api/runs", Origin=origin).status == 403
    assert served.request("POST", "/api/undo", b"{}", Origin=origin, x_runlore_token=served.token).status == 403


def test_requests_that_another_site_makes_are_refused_but_for_visits(served: Served) -> None:
    for site in ("cross-site", "same-site"):
        assert served.request("GET", "/api/runs", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
        for path, kind, status in (("/", "document", 200), ("/api/runs", "document", 403), ("/", "iframe", 403)):
            visit = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": kind}
            assert served.request("GET", path, None, key=True, Sec_Fetch_Site=site, **visit).status == status


def test_no_answer_is_for_other_origins(served: Served) -> None:
    for path in ("/", "/api/runs", "/static/app.js", "/nowhere"):
        headers = served.request("GET", path).headers
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_change_needs_the_token_in_its_header(served: Served) -> None:
    path, body = "/api/runs/only/notes", b'{"text": "a note"}'
    assert served.request("POST", path, body).status == 403
    assert served.request("POST", path, body, x_runlore_token="wrong").status == 403
    assert served.request("POST", path, body, key=False, x_runlore_token=served.token).status == 401
    assert [note.text for note in Store(served.store).run("only").notes] == []
    changes = served.get("/api/session")["changes"]
    assert changes != served.token
    assert served.request("GET", "/api/store", key=False, Authorization=f"Bearer {changes}").status == 401
    assert served.request("POST", path, body, x_runlore_token=changes).status == 200
    assert [note.text for note in Store(served.store).run("only").notes] == ["a note"]
    assert served.request("GET", path, x_runlore_token=changes).status == 405


def test_it_listens_on_no_other_address(served: Served) -> None:
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", served.port), timeout=10)


def test_another_host_is_told_of_and_asks_for_the_token_too(serve: Serve, store: Store) -> None:
    with store.start_run("only"):
        pass
    served = serve(store.root, "--host", "0.0.0.0")
    assert served.request("GET", "/api/store", key=False).status == 401
    assert served.request("GET", "/api/store").status == 200
    assert served.request("GET", "/api/store", Host=f"10.1.2.3:{served.port}").status == 200
    assert served.request("GET", "/api/store", Host=f"{socket.gethostname()}:{served.port}").status == 200
    assert served.request("GET", "/api/store", Host="evil.example").status == 400
    assert served.process.kill(signal.SIGINT) == 0
    assert "not encrypted" in served.err


def test_a_taken_port_and_a_strange_host_are_told(served: Served, store: Store) -> None:
    taken = runlore("ui", "--no-browser", "--port", str(served.port))
    assert (taken.exit_code, "in use" in taken.stderr, "--port" in taken.stderr) == (1, True, True)
    strange = runlore("ui", "--no-browser", "--host", "192.0.2.1")
    assert (strange.exit_code, "192.0.2.1" in strange.stderr) == (1, True)


def test_the_browser_is_opened_without_the_token_in_its_arguments(
    serve: Serve, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody on a machine sees the arguments of processes."""
    fake = tmp_path / "browser"
    told, done = tmp_path / "told", tmp_path / "done"
    fake.write_text(f"""#!/bin/sh
file="${{1#file://}}"
{{ echo "$@"; stat -c %a "$file"; cat "$file"; }} > {told}
touch {done}
""")
    fake.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(fake))
    command = [sys.executable, "-m", "runlore", "ui", "--port", "0", "--store", str(store.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = next(line.strip() for line in process.stdout if "#token=" in line)
    while not done.exists():
        assert process.poll() is None
        os.sched_yield()
    arguments, mode, page = told.read_text().split("\n", 2)
    for _ in range(12):  # it may not hear of the first one yet, where whoever started the tests ignores them
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
            break
    assert process.poll() is not None
    token = address.partition("token=")[2]
    assert token not in arguments
    assert mode == "600"
    assert f'value="{token}"' in page
    assert f'action="{address.partition("enter#")[0]}enter"' in page
    assert not Path(arguments.removeprefix("file://")).exists()


def test_an_origin_that_is_no_address_is_refused(served: Served) -> None:
    for origin in ("http://[", "[", "://"):
        assert served.request("GET", "/api/store", Origin=origin).status == 403


@pytest.mark.parametrize("host", ["runs.lab.example", "runs.lab.example:8443", "RUNS.lab.example"])
def test_a_name_that_was_allowed_is_answered(served: Served, serve: Serve, host: str) -> None:
    named = serve(served.store, "--allow-host", "runs.lab.example", "--allow-host", "other.example:443")
    assert named.request("GET", "/api/store", Host=host).status == 200
    assert named.request("GET", "/api/store", Host="evil.example").status == 400
    assert "--allow-host" in served.request("GET", "/api/store", Host=host).message
    for origin, status in ((f"https://{host}", 200), ("https://evil.example", 403)):
        answer = named.request("GET", "/api/store", Host=f"127.0.0.1:{named.port}", Origin=origin)
        assert answer.status == status


def test_forwarded_headers_count_only_from_a_named_proxy(served: Served, serve: Serve) -> None:

    def visit(server: Served, name: str = "runs.lab.example") -> Answer:
        told = {"x_forwarded_host": name, "x_forwarded_proto": "https", "Host": "inner.example"}
        return server.request("GET", f"/?token={server.token}", None, key=False, **told)

    assert visit(served).status == 403
    near = serve(served.store, "--allow-host", "runs.lab.example", "--trust-proxy", "127.0.0.1")
    far = serve(served.store, "--allow-host", "runs.lab.example", "--trust-proxy", "10.0.0.1")
    for server, status in ((near, 303), (far, 403)):
        answer = visit(server)
        assert answer.status == status
        assert ("Secure" in answer.headers.get("set-cookie", "")) == (status == 303)
    assert visit(near, "evil.example").status == 403


def test_a_base_path_is_no_way_around_the_token(served: Served, serve: Serve) -> None:
    below = serve(served.store, "--base-path", "/api")
    assert below.request("GET", "/api/api/runs", key=False).status == 401
    assert below.request("GET", f"/api/api/runs?token={below.token}", key=False).status == 401
    assert below.request("POST", "/api/api/undo", b"{}").status == 403


def test_a_base_path_without_its_slash_leads_to_the_page(served: Served, serve: Serve) -> None:
    below = serve(served.store, "--base-path", "/lab/runs/")
    for query in ("", f"?q=x&token={below.token}"):
        answer = below.request("GET", f"/lab/runs{query}", key=False)
        assert (answer.status, answer.headers["location"]) == (307, f"./runs/{query}")
    assert below.request("GET", "/lab/runs", Host="evil.example").status == 403


@pytest.mark.parametrize("given", ["/user/ann@lab/runs", "/user/ann%40lab/runs/"])
def test_a_base_path_may_have_escapes(served: Served, serve: Serve, given: str) -> None:
    """A link into the page once led to the root of the proxy, with the token: that may be somebody else's."""
    below = serve(served.store, "--base-path", given)
    for path in ("/user/ann@lab/runs/run/k3f9", "/user/ann%40lab/runs/run/k3f9"):
        link = below.request("GET", f"{path}?token={below.token}", key=False)
        assert (link.status, link.headers["location"].partition("?")[0]) == (303, "../")
        assert b'src="../static/app.js"' in below.request("GET", path).body
    assert below.request("GET", "/user/ann%40lab/runs").headers["location"] == "./runs/"
    server = Server(served.store, Reach(names=("hub",), base_path=given), 0)
    server.close()
    assert server.ways[0].startswith("//hub/user/ann%40lab/runs/enter#")


def test_a_frame_is_only_for_the_pages_that_are_named(served: Served, serve: Serve) -> None:
    named = serve(served.store, "--allow-frame", "http://LAB.example:8888/", "--allow-frame", "https://dash.example")
    for path in ("/", "/run/x", "/static/app.js"):
        alone = served.request("GET", path).headers
        assert alone["content-security-policy"].endswith("; frame-ancestors 'none'")
        assert alone["x-frame-options"] == "DENY"
        framed = named.request("GET", path).headers
        assert framed["content-security-policy"].endswith(
            "; frame-ancestors http://lab.example:8888 https://dash.example"
        )
        assert framed["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "x-frame-options" not in framed
    assert named.request("GET", "/api/runs").headers["x-frame-options"] == "DENY"  # as files are


def test_a_frame_opens_no_way_around_the_guard(served: Served, serve: Serve) -> None:
    named = serve(served.store, "--allow-frame", "http://lab.example")
    frame = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
    for site in ("cross-site", "same-site"):
        for path, status in (("/", 200), ("/run/x", 200), ("/api/runs", 403), ("/api/session", 403)):
            assert named.request("GET", path, None, key=True, Sec_Fetch_Site=site, **frame).status == status
        assert named.request("GET", "/", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
        told = {"Sec_Fetch_Site": site, "x_runlore_token": named.token, **frame}
        assert named.request("POST", "/api/undo", b"{}", key=True, **told).status == 403
    for origin in ("http://lab.example", "null"):
        assert named.request("GET", "/api/runs", Origin=origin).status == 403
        assert named.request("POST", "/api/undo", b"{}", Origin=origin, x_runlore_token=named.token).status == 403
    assert named.request("GET", "/", Host="lab.example").status == 403
    locked = named.request("GET", "/", None, key=False, Sec_Fetch_Site="cross-site", **frame)
    assert (locked.status, b"tab of its own" in locked.body) == (401, True)


def test_a_cookie_for_frames_is_made_only_in_them(served: Served, serve: Serve) -> None:

    def cookies(server: Served, kind: str) -> list[str]:
        told = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": kind}
        answer = server.request("GET", f"/?token={server.token}", None, key=False, **told)
        return answer.headers["set-cookie"].split(", ")

    named = serve(served.store, "--allow-frame", "http://lab.example")
    lax, framed = cookies(named, "iframe")
    assert ("SameSite=lax" in lax, "Secure" in lax) == (True, False)
    assert framed.endswith("HttpOnly; SameSite=none; Secure; Partitioned")
    for server, kind in ((named, "document"), (served, "document"), (served, "iframe")):
        (only,) = cookies(server, kind)
        assert "SameSite=lax" in only


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "'self'",
        "lab.example",
        "http://*.lab.example",
        "http://lab.example/lab",
        "http://a; script-src *",
        "null",
        "",
    ],
)
def test_what_is_no_origin_gets_no_frame(store: Store, origin: str) -> None:
    result = runlore("ui", "--no-browser", "--port", "0", "--allow-frame", origin)
    assert (result.exit_code, "is no origin" in result.stderr) == (1, True)


def test_a_proxy_that_is_named_otherwise_than_it_comes_is_told(store: Store) -> None:
    result = runlore("ui", "--no-browser", "--port", "0", "--trust-proxy", "localhost")
    assert (result.exit_code, "127.0.0.1" in result.stderr) == (1, True)
    reach = Reach(proxies=("10.0.0.1",))
    told = Headers({"x-forwarded-host": "lab.example", "host": "inner"})
    for address, name in (("10.0.0.1", "lab.example"), ("::ffff:10.0.0.1", "lab.example"), ("10.0.0.2", "inner")):
        assert reach.called({"client": (address, 1)}, told) == name


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/", "/user/ann/proxy/{port}"),
        ("VSCODE_PROXY_URI", "https://code.lab.example/proxy/{{port}}/", "/proxy/{port}"),
        ("VSCODE_PROXY_URI", "./proxy/{{port}}", "/proxy/{port}"),
        ("VSCODE_PROXY_URI", "https://{{port}}.code.lab.example/", ""),
        ("VSCODE_PROXY_URI", "https://[", ""),
        ("OTHER", "", ""),
    ],
)
def test_the_address_behind_a_proxy_has_its_path(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str, path: str
) -> None:
    monkeypatch.setenv(name, value)
    server = Server(store.root, Reach(names=("lab.example",)), 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    assert server.ways == [f"//lab.example{path.format(port=port)}/enter#token={server.address.partition('token=')[2]}"]


@pytest.mark.parametrize("path", ["/", "/run/abc", "/style.css"])
def test_a_person_behind_an_unknown_proxy_is_told_in_words(served: Served, path: str) -> None:
    answer = served.request("GET", path, Host="hub.lab.example:8443", key=False)
    assert (answer.status, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "runlore ui --allow-host hub.lab.example</code>" in answer.body.decode()
    odd = served.request("GET", path, Host="<script>alert(1)</script>", key=False)
    assert (odd.status, "<script>" in odd.body.decode()) == (403, False)


@pytest.mark.parametrize("name", ["http://runs.lab.example", "runs.lab.example/lab", "ann@lab.example", "", "a b"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    """Such a name never fitted any request, and nothing said so."""
    with pytest.raises(SettingError, match="no name of a host: write it without the rest, as in "):
        Reach(names=(name,))


@pytest.mark.parametrize("name", ["runs.lab.example", "localhost:8080", "[::1]:80", "::1", "10.0.0.7"])
def test_a_name_of_a_host_may_have_a_port(name: str) -> None:
    Reach(names=(name,))
