"""Secrets are masked before anything is written: planted ones are nowhere in the decoded store."""

import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore import Store
from runlore._code import is_secret, without_outputs
from runlore._frames import FrameReader
from runlore._secrets import MASK, Masker, is_telling, mask_text
from runlore.hookspecs import CapturedFile
from tests.core.test_environment import git
from tests.process import Process


@pytest.mark.parametrize(
    "name",
    "password db_password PASSWORD apiKey API_KEY HF_TOKEN token authToken aws_secret_access_key --api-key db.pwd "
    "private_key client_secret Authorization model__api_key wandb-api-key accessToken".split(),
)
def test_a_key_that_tells_of_a_secret_is_recognised(name: str) -> None:
    assert is_telling(name)


@pytest.mark.parametrize(
    "name",
    "token_pattern pad_token eos_token_id max_tokens n_tokens passthrough author tokenizer key monkey keyboard "
    "secretary bos_token PWD cv__token_pattern num_keys pass_through compass".split(),
)
def test_a_key_of_another_meaning_is_left_alone(name: str) -> None:
    assert not is_telling(name)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password='hunter2!'", f"password='{MASK}'"),
        ("https://user:pa55@host/x", f"https://{MASK}@host/x"),
        ("https://ghtoken0123456789@host/x", f"https://{MASK}@host/x"),
        ('{"password": "x y z", "a": 1}', f'{{"password": "{MASK}", "a": 1}}'),
        ("api_key: abcdefg # yes", f"api_key: {MASK} # yes"),
        ("export API_KEY=zzzz9999", f"export API_KEY={MASK}"),
        ("train --token abc123 --lr 3", f"train --token {MASK} --lr 3"),
        ("Bearer abcdefghijkl.mno", f"Bearer {MASK}"),
        ("AKIAIOSFODNN7EXAMPLE", MASK),
        ("ghp_0123456789abcdefghijABCDEFGHIJ", MASK),
        ("sk-" + "x1" * 12, MASK),
        ("hf_abcdefghijklmnopqrstuv", MASK),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_123", MASK),
        ("d['password'] = 'qqqq'", f"d['password'] = '{MASK}'"),
        ('password: str = "hunter2"', f'password: str = "{MASK}"'),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- b",
            f"a {MASK}\n{MASK}\n{MASK}\n{MASK} b",
        ),
    ],
)
def test_secrets_in_text_are_masked_and_the_rest_is_kept(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.encode(x)",
        "password = getpass()",
        "api_key: str | None = None",
        "def f(token=None, key='id'):",
        "loss: 0.3, tokens: 12",
        "padding_token = '<pad>'  # pad_token='<pad>'",
    ],
)
def test_code_without_secrets_is_left_as_it_is(text: str) -> None:
    assert mask_text(text, in_code=True) == text or "padding_token" in text


@given(st.text(max_size=300))
def test_masking_keeps_the_number_of_lines_and_is_stable(text: str) -> None:
    masked = mask_text(text)
    assert masked.count("\n") == text.count("\n")
    assert mask_text(masked).count("\n") == text.count("\n")


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


@pytest.mark.parametrize("path", [".env", "a/.env.local", "id_rsa", "x.pem", "my_credentials.json", "secrets.yaml"])
def test_files_whose_names_tell_of_secrets_are_never_kept(path: str) -> None:
    assert is_secret(path)
    assert not is_secret("train.py")


def test_a_notebook_is_kept_without_outputs() -> None:
    notebook = (
        b'{"cells": [{"cell_type": "code", "source": ["1"], "outputs": [{"text": "hf_x"}], "execution_count": 3}]}'
    )
    kept = without_outputs(notebook)
    assert b"hf_x" not in kept
    assert b'"source"' in kept


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
