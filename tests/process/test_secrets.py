"""Keys stay out of every text, in all the forms in which they travel."""

from __future__ import annotations

import base64
import io
import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game_reasoning_arena.process.secrets import (
    SECRET_NAME,
    RedactingFilter,
    Redactor,
    redact,
    redacted,
    secret_reference,
)

KEY = 'sk-canary/"0123+45='


@pytest.mark.parametrize(
    "form", [KEY, json.dumps(KEY), quote(KEY, safe=""), f"Bearer {KEY}", f"?key={quote(KEY)}"]
)
def test_a_key_is_replaced_in_every_form(form: str) -> None:
    redactor = Redactor(environ={"LAB_API_KEY": f" {KEY}\n"})
    shown = redactor.redact(f"before {form} after")
    assert "canary" not in shown
    assert "[redacted:LAB_API_KEY]" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


ODD_KEY = "sk-Canary/7+Hb93=Xw&mN.oPq~u_v"


@pytest.mark.parametrize(
    "form",
    {
        "lower_percent": quote(ODD_KEY, safe="").replace("%2F", "%2f"),
        "all_percent": "".join(f"%{byte:02x}" for byte in ODD_KEY.encode()),
        "percent_twice": quote(quote(ODD_KEY, safe=""), safe=""),
        "unicode_escapes": "".join(f"\\u{ord(c):04X}" for c in ODD_KEY),
        "dotnet": ODD_KEY.replace("+", "\\u002B").replace("&", "\\u0026"),
        "php": ODD_KEY.replace("/", "\\/"),
        "html": ODD_KEY.replace("/", "&#x2F;").replace("&m", "&amp;m").replace("=", "&#61;"),
        "hex_python": "".join(f"\\x{byte:02x}" for byte in ODD_KEY.encode()),
        "lower": ODD_KEY.lower(),
        "upper": ODD_KEY.upper(),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_key_is_found_however_its_characters_are_written(form: tuple[str, str]) -> None:
    redactor = Redactor(environ={"LAB_API_KEY": ODD_KEY})
    shown = redactor.redact(f"before {form[1]} after")
    assert shown.startswith("before [redacted:LAB_API_KEY]")
    assert shown.endswith(" after")
    assert len(shown) < 50


def test_names_that_look_like_secrets() -> None:
    secret = ["OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET", "SCW_SECRET_KEY", "DB_PASSWORD", "TOKEN"]
    secret += [
        "PGPASSWORD",
        "MYSQL_PWD",
        "GITHUB_PAT",
        "A_API_KEY_2",
        "SECRET_KEY_BASE",
        "API_KEYS",
    ]
    plain = [
        "MAX_TOKENS",
        "PATH",
        "TOKENIZERS_PARALLELISM",
        "KEYBOARD",
        "MONKEY",
        "HOME",
        "PWD",
        "COMPASS",
    ]
    assert [name for name in secret if not SECRET_NAME.search(name)] == []
    assert [name for name in plain if SECRET_NAME.search(name)] == []


def test_a_variable_of_any_name_can_be_added() -> None:
    environ = {"MY_LAB": "canary-0123456789"}
    assert Redactor(environ=environ).redact("canary-0123456789") == "canary-0123456789"
    assert Redactor(["MY_LAB"], environ=environ).redact("canary-0123456789") == "[redacted:MY_LAB]"


def test_credentials_of_addresses() -> None:
    url = "http://me:canary%20pass@127.0.0.1:1/v1"
    redactor = Redactor(urls=[url, None], environ={"HTTPS_PROXY": "http://u:canary-proxy@h:1"})
    basic = base64.b64encode(b"me:canary pass").decode()
    for text in (url, "the password is canary pass", f"Basic {basic}", "canary-proxy"):
        assert "canary" not in redactor.redact(text)
        assert basic not in redactor.redact(text)
    unknown = Redactor(environ={}).redact("see https://a:b@c.d/e and http://plain.host/x:y@z")
    assert unknown == "see https://[redacted]@c.d/e and http://plain.host/x:y@z"


def test_short_values_go_only_where_a_key_is_meant() -> None:
    redactor = Redactor(environ={"LAB_API_KEY": "test"})
    text = "I test the test. Bearer test, api_key='test', testing, token: test"
    assert redactor.redact(text) == (
        "I test the test. Bearer [redacted:LAB_API_KEY], api_key='[redacted:LAB_API_KEY]', "
        "testing, token: [redacted:LAB_API_KEY]"
    )


def test_a_key_that_holds_another_goes_first() -> None:
    redactor = Redactor(environ={"A_API_KEY": "canary-1234", "B_API_KEY": "canary-1234-more"})
    assert redactor.redact("canary-1234-more") == "[redacted:B_API_KEY]"


def test_a_capital_whose_small_letter_depends_on_its_place() -> None:
    key = "\u03ba\u03bb\u03b5\u03b9\u03b4\u03af" * 3 + "\u0391\u03a3"  # ends with a capital sigma
    redactor = Redactor(environ={"K_API_KEY": key})
    assert redactor.redact(f"{key}\u0391") == "[redacted:K_API_KEY]\u0391"


def test_structures_keep_their_form() -> None:
    redactor = Redactor(environ={"K_API_KEY": "canary-1234"})
    data = {"a": ["canary-1234", 1, None], "b": {"canary-1234": ("x", 2.5)}, "c": True}
    assert redacted(data, redactor.redact) == {
        "a": ["[redacted:K_API_KEY]", 1, None],
        "b": {"[redacted:K_API_KEY]": ("x", 2.5)},
        "c": True,
    }


def test_nothing_to_hide_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Redactor(environ={}).redact("as it was") == "as it was"
    monkeypatch.setenv("LATER_API_KEY", "canary-later-1")
    assert redact("canary-later-1") == "[redacted:LATER_API_KEY]"


def test_a_redactor_shows_no_value() -> None:
    assert "canary" not in repr(Redactor(environ={"K_API_KEY": "canary-1234"}))


def test_logs_and_tracebacks() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(Redactor(environ={"K_API_KEY": "canary-1234"})))
    logger = logging.Logger("test", logging.DEBUG)
    logger.addHandler(handler)
    logger.debug("sent %s to %s", "Bearer canary-1234", {"k": "canary-1234"}, stack_info=True)
    try:
        raise ValueError("refused canary-1234")
    except ValueError:
        logger.exception("failed with %d%%", 5)
    shown = stream.getvalue()
    assert "canary-1234'" not in shown
    assert "Bearer [redacted:K_API_KEY]" in shown
    assert "failed with 5%" in shown
    assert "ValueError: refused [redacted:K_API_KEY]" in shown


@settings(max_examples=50)
@given(st.text(), st.text(min_size=8).filter(lambda s: s.strip() == s))
def test_no_text_holds_the_key_afterwards(text: str, key: str) -> None:
    redactor = Redactor(environ={"K_API_KEY": key})
    shown = redactor.redact(f"{text}{key}{text}")
    assert key not in shown or key in "[redacted:K_API_KEY]"


@pytest.mark.parametrize(
    "value",
    [
        "'canary-0123456789'",
        "canary-\u200b0123456789",
        "canary-0123\n456789 ",
        "canary-0123456789\u00e9",
    ],
)
def test_what_is_left_of_a_key_without_its_odd_characters_is_redacted(value: str) -> None:
    redactor = Redactor(environ={"LAB_API_KEY": value})
    assert redactor.redact("No: Bearer canary-0123456789!") == "No: Bearer [redacted:LAB_API_KEY]!"


def test_a_run_of_backslashes_is_gone_through_once() -> None:
    """Anything else takes hours for what fits into one answer."""
    redactor = Redactor(environ={"LAB_API_KEY": ODD_KEY})
    text = "\\" * 2_000_000 + f" \\u {ODD_KEY.upper()}"
    assert redactor.redact(text).endswith(" \\u [redacted:LAB_API_KEY]")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${oc.${x}:PGPASS}", "PGPASS"),
        ("${oc.${x.${y}}:PGPASS}", "PGPASS"),
        ("${oc.${x}.${y.${z}}:PGPASS}", "PGPASS"),
        ("${oc.env:HOME}", None),
        ("${model.${x}}", None),
        ("${oc.decode:${x}}", None),
        ("${a.${b}} and time 12:30", None),
        ("${" * 10_000 + "}" * 10_000, "a name nested too deep"),
    ],
    ids=range(8),
)
def test_a_resolver_whose_name_is_computed(text: str, found: str | None) -> None:
    assert secret_reference(text) == found
