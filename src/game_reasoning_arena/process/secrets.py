"""Redaction of keys in everything that is written or shown.

    redact("Bearer sk-canary-123 is wrong")  # "Bearer [redacted:OPENAI_API_KEY] is wrong"

A :class:`Redactor` knows the values of all variables of the environment whose names look like
those of secrets or that a configuration names for a key, and the credentials of addresses. It
replaces them wherever they stand, also in the forms in which they travel: JSON-escaped,
percent-encoded, as character references of HTML, in hexadecimal digits, in base64, in other letter
case. Forms with something between the characters, such as base64 on several lines, are not found.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote

from game_reasoning_arena.process.text import plain

#: Names of variables that hold secrets.
SECRET_NAME = re.compile(
    r"(?:(?:^|_)(?:API_?KEYS?|KEYS?|TOKEN|SECRETS?|PASSWD|PASSPHRASE|PASS|PAT|JWT|CREDENTIALS?"
    r"|AUTHORIZATION|ACCESS_KEY_ID)|_PWD|PASSWORDS?|^PGPASS)(?:_?\d+)?$"
    r"|(?:^|_)(?:API_?KEY|SECRET|TOKEN|PASSWORD)_(?!FILE$|PATH$|URL$|LIMIT$|COUNT$)",
    re.IGNORECASE,
)

_named: set[str] = set()


def remember_key_variables(names: Iterable[str]) -> None:
    """Take variables for secrets that a configuration names as those of keys, for this process."""
    _named.update(names)


def key_variables_in(config: Any) -> Iterator[str]:
    """Yield the variables that a configuration names for keys and headers, at any depth."""
    if isinstance(config, list):
        for item in config:
            yield from key_variables_in(item)
    for key, value in config.items() if isinstance(config, Mapping) else ():
        if key == "api_key_env" and isinstance(value, str):
            yield value
        elif key == "headers" and isinstance(value, Mapping):
            yield from (name for name in value.values() if isinstance(name, str))
        else:
            yield from key_variables_in(value)


def forget_key_variables() -> None:
    """Forget the variables that configurations have named, as in a new process."""
    _named.clear()


def is_secret(name: str) -> bool:
    """Return whether a variable holds a secret, by its name or by a configuration's word."""
    return name in _named or SECRET_NAME.search(name) is not None


_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+@")


def has_credentials(text: str) -> bool:
    """Return whether a text holds an address with a user and a password."""
    return _URL_CREDENTIALS.search(text) is not None


_ENV_REFERENCE = re.compile(r"\$\{\s*oc\.env\s*:\s*['\"]?([^},'\"]*)")

#: An interpolation that holds no other, and one whose resolver's own name is computed by such.
_INNERMOST = re.compile(r"\$\{[^${}]*\}")
_COMPUTED_RESOLVER = re.compile(r"\$\{[^:${}]*\0[^:${}]*:([^${}]*)")

#: Interpolations inside each other that are looked into.
_DEEPEST = 20


def secret_reference(text: str) -> str | None:
    """Return the variable that ``${oc.env:NAME}`` in a text reads, if it may hold a secret.

    A name that is itself computed may be any, and so may a computed resolver.
    """
    inner = text
    for _ in range(_DEEPEST):
        outer = _INNERMOST.sub("\0", inner)
        if computed := _COMPUTED_RESOLVER.search(outer):
            return computed.group(1).strip()
        if outer == inner:
            break
        inner = outer
    else:
        return "a name nested too deep"
    for name in _ENV_REFERENCE.findall(text):
        if "${" in name or is_secret(name.strip()):
            return str(name).strip()
    return None


#: Values shorter than this are words, not keys ("none", "EMPTY", "test"): they are replaced only
#: where the text says that a key follows, so that ordinary text survives.
SHORT = 8

_BEFORE_A_KEY = r"(?:\bBearer\s+|\b(?:api[-_ ]?key|token|password|authorization)[\"'\s:=]+)"


def _base64_forms(data: bytes) -> set[str]:
    """Return the base64 forms of bytes at any position in the encoded data.

    Three bytes are four characters, so that there are three ways; of the characters at both ends
    that also hold bits of the neighbours, none is taken.
    """
    forms = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        first = -(-before * 8 // 6)  # of the characters that hold nothing of what stands before
        last = (before + len(data)) * 8 // 6
        whole = text[first:last]
        forms |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return {form for form in forms if len(form) >= SHORT}


# Escaped characters, in small letters.
_PERCENT = re.compile(r"%[0-9a-f]{2}")
_REFERENCE = re.compile(r"&#?\w{2,8};")
# A bounded number: a run of backslashes would be gone through from each of them.
_SLASHES = r"\\{1,8}"
_BEFORE_BACKSLASHED = re.compile(r"\\[ux/]")  # a third of the time of three searches with `in`
_BACKSLASH = re.compile(rf"{_SLASHES}(?:u[0-9a-f]{{4}}|x[0-9a-f]{{2}}|/)")
#: Times that characters may be escaped one over the other.
_DEPTH = 4
#: Shorter values may be words that occur in another letter case, too.
_ANY_CASE = 16


def _unescaped(lower: str) -> str:
    """Return a text in small letters with escaped characters as they are; "" if there are none."""
    text = lower
    for _ in range(_DEPTH):
        before = text
        if "%" in text:
            text = _PERCENT.sub(_character, text)
        if "&" in text:
            text = _REFERENCE.sub(_character, text)
        if _BEFORE_BACKSLASHED.search(text):
            text = _BACKSLASH.sub(_character, text)
        if text == before:
            break
    return "" if text == lower else text


def _character(match: re.Match[str]) -> str:
    import html  # 2,000 names; hardly any text needs them

    escape = match[0]
    if escape[0] == "&":
        return html.unescape(escape).lower()
    digits = escape.lstrip("%\\").lstrip("ux")
    return "/" if digits == "/" else chr(int(digits, 16)).lower()


class _Spelling:
    """Finds one secret where its characters are escaped one by one or are of other letter case.

    A regular expression for all that is slow, so it runs only where plain searches have found the
    secret in a copy of the text.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        self._lower = value.lower()
        self._any_case = len(value) >= _ANY_CASE
        # As percent signs spell it.
        self._bytes = value.encode(errors="surrogateescape").decode("latin-1").lower()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        flags = re.IGNORECASE if self._any_case else re.NOFLAG
        return re.compile("".join(map(_any_spelling, self._value)), flags)

    def replaced(self, text: str, lower: str, unescaped: str, by: str) -> str:
        """Return the text with every such occurrence replaced.

        Args:
            text: the text.
            lower: the text in small letters.
            unescaped: the same without escapes; empty if it has none.
            by: what takes the place of the secret.
        """
        if (self._any_case and self._lower in lower) or (
            unescaped and (self._lower in unescaped or self._bytes in unescaped)
        ):
            text = self._pattern.sub(by, text)
        return text


def _any_spelling(character: str) -> str:
    """Return a regular expression for a character, escaped or not."""
    import html

    code = ord(character)
    percent = "".join(f"%(?:25)*{b:02x}" for b in character.encode(errors="surrogateescape"))
    others = [percent, rf"{_SLASHES}u{code:04x}", rf"&#x0*{code:x};", rf"&#0*{code};"]
    if code < 256:
        others.append(rf"{_SLASHES}x{code:02x}")
    if (named := html.escape(character)) != character:
        others.append(named)
    if character in "/\"'\\":
        others.append(rf"{_SLASHES}{re.escape(character)}")
    return f"(?:{re.escape(character)}|(?i:{'|'.join(others)}))"


class Redactor:
    """Replaces secrets by ``[redacted:NAME]``.

    Args:
        variables: names of further variables that hold keys, such as ``Provider.api_key_env``.
        urls: addresses that may hold ``user:password@``.
        environ: where variables are read from; the process's environment by default.
    """

    def __init__(
        self,
        variables: Iterable[str] = (),
        urls: Iterable[str | None] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._names: dict[str, str] = {}  # value as it may stand in a text -> what to call it
        self._spellings: dict[str, tuple[_Spelling, str]] = {}
        self._in_any_case: set[str] = set()  # in small letters
        short: list[tuple[str, str]] = []
        wanted = set(variables)
        for name, value in environ.items():
            if name in wanted or is_secret(name):
                if len(value.strip()) >= SHORT:
                    for form in _bared(value):
                        self._learn(name, form)
                elif value.strip():
                    short.append((name, value.strip()))
            if "://" in value:
                self._learn_url(value)
        for url in urls:
            if url:
                self._learn_url(url)
        self._short = [
            (name, re.compile(f"({_BEFORE_A_KEY}){re.escape(value)}(?![\\w-])", re.IGNORECASE))
            for name, value in short
        ]
        self._as_they_are = [
            form
            for form in self._names  # a capital sigma has two small letters
            if not form.isascii() or form.lower() not in self._in_any_case
        ]
        values = sorted(self._names, key=len, reverse=True)  # a key that holds another goes first
        self._pattern = re.compile("|".join(map(re.escape, values))) if values else None

    def __repr__(self) -> str:
        return f"Redactor({len(self._names)} values)"

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._without_long(text, self._pattern)
        for name, pattern in self._short:
            text = pattern.sub(rf"\1[redacted:{name}]", text)
        if "://" in text:
            text = _URL_CREDENTIALS.sub("[redacted]@", text)
        return text

    def _without_long(self, text: str, pattern: re.Pattern[str]) -> str:
        # Searching one value is much faster than a regex, and hardly ever finds anything.
        lower = text.lower()
        found = False
        for value in self._in_any_case:
            if value in lower:
                found = True
                break
        else:
            for value in self._as_they_are:
                if value in text:
                    found = True
                    break
        if found:
            text = pattern.sub(self._replacement, text)
            lower = text.lower()
        unescaped = _unescaped(lower)
        if found or unescaped:
            for spelling, name in self._spellings.values():
                text = spelling.replaced(text, lower, unescaped, f"[redacted:{name}]")
        return text

    def _replacement(self, match: re.Match[str]) -> str:
        return f"[redacted:{self._names[match[0]]}]"

    def _learn(self, name: str, value: str) -> None:
        forms = {value, json.dumps(value)[1:-1], repr(value)[1:-1]}
        forms.update(quote(value, safe=safe, errors="replace") for safe in ("", "/"))
        data = value.encode(errors="surrogateescape")
        forms.update((data.hex(), data.hex().upper(), *_base64_forms(data)))
        for form in forms:
            self._names.setdefault(form, name)
        self._in_any_case.add(data.hex())
        if len(value) >= _ANY_CASE:
            self._in_any_case.add(value.lower())
        self._spellings.setdefault(value, (_Spelling(value), name))

    def _learn_url(self, url: str) -> None:
        for user_password in re.findall(r"://([^/\s@]*:[^/\s@]+)@", url):
            plain = unquote(user_password)
            password = plain.partition(":")[2]
            if len(password) >= SHORT:
                self._learn("url_password", password)
            basic = base64.b64encode(plain.encode()).decode()
            self._names.setdefault(basic, "url_password")


def _bared(value: str) -> list[str]:
    """Return a value, and what a server may echo of it: without quotes, breaks and invisible
    characters.

    Such a key is refused before a run; but an environment may hold others than the run's own.
    """
    plain = value.strip()
    visible = "".join(c for c in plain if c.isascii() and c.isprintable() and c != " ")
    lines = [line.strip() for line in plain.splitlines()]
    forms = (plain, plain.strip("\"'`"), visible, visible.strip("\"'`"), *lines)
    return [form for form in dict.fromkeys(forms) if len(form) >= SHORT]


def redacted(data: Any, redact: Callable[[str], str]) -> Any:
    """Return a structure of mappings, lists and tuples with a function applied to every text."""
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, Mapping):
        return {redacted(k, redact): redacted(v, redact) for k, v in data.items()}
    if isinstance(data, list):
        return [redacted(item, redact) for item in data]
    if isinstance(data, tuple):
        return tuple(redacted(item, redact) for item in data)
    return data


def redact(text: str, variables: Iterable[str] = (), urls: Iterable[str | None] = ()) -> str:
    """Return a text without secrets of the present environment; for rare texts, such as errors.

    Where many texts are to be redacted, keep a :class:`Redactor`.
    """
    return Redactor(variables, urls).redact(text)


class RedactingFilter(logging.Filter):
    """Redacts log records, tracebacks included, and makes control characters visible.

    Add it to handlers, so that nothing passes by.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        super().__init__()
        self._redactor = redactor or Redactor()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; it is always kept."""
        record.msg = plain(self._redactor.redact(record.getMessage()))
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            lines = traceback.format_exception(*record.exc_info)
            record.exc_text = self._redactor.redact("".join(lines).rstrip())
            record.exc_info = None  # formatters then show exc_text
        if record.stack_info:
            record.stack_info = self._redactor.redact(record.stack_info)
        return True
