"""Secrets are masked before anything is written: planted ones are nowhere in the decoded store."""

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runlore import Store
from runlore.hookspecs import CapturedFile
from runlore.log.frames import FrameReader
from runlore.plugins.secret_words import MASK
from runlore.plugins.secrets import Masker
from tests.git import git
from tests.process import Process


def test_a_value_that_was_masked_by_its_key_is_masked_everywhere_afterwards() -> None:
    masker = Masker({})
    masker.event({"type": "params", "values": {"db_password": "hunter-2000"}})
    event = masker.event({"type": "end", "error": {"message": "cannot log in with hunter-2000"}})
    assert event["error"]["message"] == f"cannot log in with {MASK}"


def test_values_of_telling_environment_variables_are_masked_everywhere() -> None:
    masker = Masker({"SERVICE_TOKEN": "very-secret-thing", "HOME": "/home/me", "PWD": "/home/me/project"})
    assert masker.event({"type": "note", "text": "/home/me/project very-secret-thing"})["text"] == (
        f"/home/me/project {MASK}"
    )


def test_metrics_keep_their_names_whatever_these_look_like(store: Store) -> None:
    """They are listed in a field "keys", under which a long random value would be a secret."""
    names = ["blk9Q1zR4Wk2Vp7Xa0", "convA1b2C3d4E5f6G7h8", "a7Gk2Lm9Qr4Tz1Xc8Vb3"]
    with store.start_run("x") as run:
        run.log_metrics(dict.fromkeys(names, 1.0), step=0)
        run.log_metrics({names[0]: 2.0}, step=1)
    assert set(store.run("x").metrics) == set(names)
    masker = Masker({"SERVICE_TOKEN": "very-secret-thing"})
    assert masker.event({"type": "keys", "keys": ["loss/very-secret-thing", names[1]]})["keys"] == [
        f"loss/{MASK}",
        names[1],
    ]


def test_a_masked_patch_tells_file_and_line() -> None:
    patch = (
        "diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n@@ -10,2 +20,3 @@ def f():\n"
        " same\n-password = 'old-one-1'\n+password = 'new-one-2'\n+other = 1\n"
    )
    masked = Masker({}).file(CapturedFile("uncommitted.patch", patch.encode(), "code"))
    assert masked is not None
    assert b"-one-" not in masked.content
    assert set(masked.masked) == {"train.py line 20", "train.py line 21"}


def test_a_model_that_holds_a_known_secret_is_withheld_and_others_are_not() -> None:
    masker = Masker({"SERVICE_TOKEN": "very-secret-thing"})
    held = masker.file(CapturedFile("model.pkl", b"\x80\x05very-secret-thing\x00", "model"))
    assert held is not None
    assert (held.content, bool(held.withheld)) == (b"", True)
    assert masker.file(CapturedFile("model.pkl", b"\x80\x05harmless\x00", "model")) is None


LEAKY = {
    "db": {"pass": "LEAK1x"}, "dbpassword": "LEAK2", "api_tokens": ["LEAK3x"], "hf_token_read": "LEAK4x",
    "accesstoken": "LEAK5x", "auth": ["bob", "LEAK6x"], "creds": "LEAK7x", "ssh_key": "LEAK8x", "wandb_key": "LEAK9x",
    "pairs": {"$type": "list", "text": '[["password", "LEAK10"]]'}, "url": "https://x.blob/c?sv=1&sig=LEAK11",
    "dsn": "postgres://bob:ab@LEAK12@db/x", "dsn2": "postgres://bob:ab/LEAK13@db/x",
    "header": "Authorization: token LEAK14", "repr": "passphrase: horse LEAK15", "pgpassword": "LEAK16",
    "hook": "https://hooks.slack.com/services/T0/B0/LEAK17XXXXXXXXXXXXX",
    "bot": "123456789:AALEAK18abcdefghijklmnopqrstuvwxyz",
    "escaped": {"$type": "list", "text": '["{\\"password\\": \\"LEAK19\\"}"]'},
    "config": "Config(password='LEAK20-1x')",
    "before": "key=LEAK21-beside-a-key", "api_key": "LEAK21-beside-a-key",
}  # fmt: skip


def test_secrets_in_params_are_masked_whatever_their_form() -> None:
    masked = Masker({"DB_PASSWORD": "password"}).event({"type": "params", "values": LEAKY})
    for name, value in masked["values"].items():
        assert "LEAK" not in str(value), name


HONEST = {
    "name": "sk-logistic-regression", "experiment": "sk-random-forest-baseline", "x": "pypi-download-forecasting",
    "task": "classification", "note": "Basic classification of iris", "placeholder_token": "<cat>",
    "stop_token": "</s>",
    "initializer_token": "toy", "word_delimiter_token": "|", "lang_token": "de", "response_token": "### A",
    "cost_per_output_token": 0.002, "target_token": 3, "master_key": 42, "pwd": "/tmp/x", "backend": "postgres",
    "db": "postgresql://localhost/x", "token_pattern": r"(?u)\b\w\w+\b", "passthrough": False, "pass_through": "yes",
    "dsn": "Config(host='localhost')", "max_tokens": 4096, "secret": None, "use_auth": True,
}  # fmt: skip


def test_honest_params_are_left_as_they_are_even_where_an_environment_secret_is_a_common_word() -> None:
    masker = Masker({"DB_PASSWORD": "password", "POSTGRES_PASSWORD": "postgres"})
    for _ in range(2):  # nothing that would mangle them later is learned
        assert masker.event({"type": "params", "values": HONEST})["values"] == HONEST
    assert masker.event({"type": "note", "text": "the password=realsecret-2y"})["text"] == f"the password={MASK}"


CODE = """def f(password: str, host="localhost"): pass
raise ValueError("unknown token: expected one of a, b")
token = os.environ["HF_TOKEN"]
password = getpass.getpass("Password: ")
self.pad_token = "[PAD]"
parser.add_argument("--password", help="the password")
key = jax.random.PRNGKey(0)
"""
LEAKY_CODE = '''API_KEY = (
    "LEAK1-x"
)
PASSWORD = """LEAK2-x"""
pw = getenv("DB_PASSWORD","LEAK3-x")
p.add_argument("--password", default="LEAK4-x")
password = os.environ.get("X") or "LEAK5-x"
token = "LEAK6-a" "LEAK6-x"
d = {"password": ["LEAK7-x"]}
connect(host, password="LEAK8-x", db=3)
print("connecting with api_key=LEAK9-x")
raise E("token='LEAK10-x'")
SAME = "here" + "LEAK8-x"
'''
YAML = """tokens:
  - LEAK1x
password2: |
  LEAK3
  more LEAK4
env:
  - name: DB_PASSWORD
    value: LEAK5
password: LEAK6
api_key: LEAK7
auth:
  user: bob
  pass: LEAK8x
"""


def masked_file(name: str, text: str) -> str:
    found = Masker({}).file(CapturedFile(name, text.encode(), "code"))
    return text if found is None else found.content.decode()


def test_secrets_in_code_and_settings_are_masked_and_honest_code_is_not() -> None:
    assert masked_file("a.py", CODE) == CODE
    assert "LEAK" not in masked_file("a.py", LEAKY_CODE)
    assert masked_file("a.py", LEAKY_CODE).count("\n") == LEAKY_CODE.count("\n")
    assert "LEAK" not in masked_file("a.yaml", YAML)
    assert "user: bob" in masked_file("a.yaml", YAML)


def test_a_patch_is_masked_file_by_file() -> None:
    def part(name: str, text: str) -> str:
        added = "".join(f"+{line}\n" for line in text.splitlines())
        return f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -0,0 +1 @@\n{added}"

    masked = masked_file(
        "uncommitted.patch", part("c.yaml", YAML) + part("app.ini", "password = LEAK9") + part("b.py", CODE)
    )
    assert "LEAK" not in masked
    assert masked.endswith(part("b.py", CODE))


def test_secrets_in_the_source_of_a_notebook_are_masked() -> None:
    source = ['password = "LEAK-17qq"\n', 'os.environ["API_KEY"] = "LEAK-18rr"\n', "x = 1\n"]
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": source, "outputs": []}]})
    masked = json.loads(masked_file("a.ipynb", notebook))
    assert masked["cells"][0]["source"] == [f'password = "{MASK}"\n', f'os.environ["API_KEY"] = "{MASK}"\n', "x = 1\n"]


@pytest.mark.parametrize("held", ["ghp_" + "d" * 30, "-----BEGIN RSA PRIVATE KEY-----", "swordfish"])
def test_a_model_that_holds_any_kind_of_secret_is_withheld(held: str) -> None:
    masker = Masker({})
    masker.event({"type": "params", "values": {"password": "swordfish"}})
    found = masker.file(CapturedFile("m", b"\x80\x05" + held.encode() + b"\x94\x00" * 50, "model"))
    assert found is not None
    assert found.withheld


SECRETS = {
    "key": "plain-param-secret-1",
    "value": "hf_abcdefghijklmnopqrstuvwx2",
    "argv": "argv-secret-3",
    "remote": "remote-secret-4",
    "traceback": "traceback-secret-5",
    "patch": "patch-secret-6",
    "untracked": "untracked-secret-7",
    "output": "output-secret-8",
    "environment": "environment-secret-9",
    "dotenv": "dotenv-secret-10",
    "notebook": "notebook-secret-11",
    "tag": "ghp_tagtagtagtagtagtagtagtag12",
    "note": "note-secret-13",
    "name": "sk-namenamenamename14",
    "private": "cHJpdmF0ZSBrZXkgc2VjcmV0IDE1",
}
SCRIPT = f"""
import os, sys
import runlore

run = runlore.start_run(
    "run {SECRETS["name"]}",
    params={{"db": {{"password": {SECRETS["key"]!r}}}, "hub": {SECRETS["value"]!r}}},
    tags={{"hub": {SECRETS["tag"]!r}}},
)
run.note("password={SECRETS["note"]}")
run.set_tags({{"seen": os.environ["SERVICE_TOKEN"]}})
print("connecting with api_key={SECRETS["output"]}")
print("-----BEGIN PRIVATE KEY-----\\n{SECRETS["private"]}\\n-----END PRIVATE KEY-----")
print("and again", {SECRETS["key"]!r}, file=sys.stderr)
with run:
    raise RuntimeError("login failed: token='{SECRETS["traceback"]}'")
"""


def repository(folder: Path) -> None:
    git(folder, "init")
    (folder / "train.py").write_text("print(1)\n")
    (folder / "analysis.ipynb").write_text('{"cells": []}')
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    git(folder, "remote", "add", "origin", f"https://me:{SECRETS['remote']}@example.org/x.git")
    (folder / "train.py").write_text(f"print(1)\npassword = '{SECRETS['patch']}'\n")
    (folder / "new.py").write_text(f"client = connect(api_key='{SECRETS['untracked']}')\n")
    (folder / ".env").write_text(f"TOKEN={SECRETS['dotenv']}\n")
    cell = f'{{"cell_type": "code", "source": [], "outputs": ["{SECRETS["notebook"]}"]}}'
    (folder / "analysis.ipynb").write_text(f'{{"cells": [{cell}]}}')


def everything(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a store as it lies, and decoded."""
    for path in root.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield path.name, data
        if path.suffix in (".log", ".run"):
            with path.open("rb") as file:
                for _, payload in FrameReader(file, 1024 if path.suffix == ".log" else 8):
                    yield path.name, payload
                    text = payload.decode("utf-8", "replace").encode().decode("unicode_escape", "replace")
                    yield path.name, text.encode("utf-8", "replace")
        for decompress in (gzip.decompress, zlib.decompress):
            with suppress(OSError, zlib.error, EOFError):
                yield path.name, decompress(data)


def test_fifteen_planted_secrets_are_nowhere_in_the_decoded_store(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    repository(work)
    (work / "train_it.py").write_text(SCRIPT)
    process = python(
        "import os, runpy, sys; os.chdir('work'); sys.argv[0] = 'train_it.py'; sys.path.insert(0, '.');"
        "runpy.run_path('train_it.py', run_name='__main__')",
        "--token",
        SECRETS["argv"],
        SERVICE_TOKEN=SECRETS["environment"],
        RUNLORE_OUTPUT="1",
    )
    assert process.wait() == 1
    for secret in (SECRETS["output"], SECRETS["private"]):
        assert secret in process.out, "the terminal is not touched"
    (run,) = store.runs()
    shown = subprocess.run(
        [sys.executable, "-m", "runlore", "show", run.id, "--json"], capture_output=True, text=True, check=True
    ).stdout
    found = [*everything(store.root), ("show --json", shown.encode())]
    assert len(found) > 10
    for what, secret in SECRETS.items():
        where = [name for name, data in found if secret.encode() in data]
        assert where == [], f"{what}: {where}"
    names = {item.name for item in run.artifacts}
    assert {"uncommitted.patch", "untracked", "output.log"} <= names
    members = {member.path for member in run.artifact("untracked").members}
    assert members == {"new.py", "analysis.ipynb", "train_it.py"}
    assert MASK in run.artifact("uncommitted.patch").read_bytes().decode()
    assert f"api_key={MASK}" in run.artifact("output.log").read_bytes().decode()
    whys = {item["what"]: item["why"] for item in run.missing}
    assert "train.py line 2" in whys["uncommitted.patch"]
    assert "can't be reproduced" in whys["uncommitted.patch"]
    assert "new.py line 1" in whys["new.py"]
    assert run.status == "failed"
    assert run.environment["git"]["remote"] == f"https://{MASK}@example.org/x.git"
    assert run.command["argv"][1:] == ["--token", MASK]


@pytest.mark.parametrize("value", ["2.62.2", "1.0rc1", "v2.1", "0.4.2.post1", "2.13.0+cu130", ">=1.2"])
def test_the_version_of_a_package_with_a_telling_name_is_no_secret(value: str) -> None:
    text = f'{{"google-auth": "{value}", "auth": "{value}"}}'
    assert masked_file("versions.json", text) == text


def test_a_forked_child_masks_what_its_parent_has_learned(store: Store, python: Callable[..., Process]) -> None:
    python(
        """
        import os, runlore
        runlore.start_run("parent", params={"db_password": "hunter-2000"}).finish()
        child = os.fork()
        if not child:
            run = runlore.start_run("child")
            run.note("can't log in with hunter-2000")
            run.finish()
            os._exit(0)
        os.waitpid(child, 0)
        """
    ).succeed()
    assert [note.text for note in store.run("child").notes] == [f"can't log in with {MASK}"]
