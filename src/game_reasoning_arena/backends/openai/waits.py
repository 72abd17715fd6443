"""The time that a provider asks to wait, in any of its forms."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

#: Greater numbers are points in time (Unix time), not durations.
_MOMENT = 1e9
_UNITS = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_NUMBER = r"\d{1,12}(?:\.\d{1,9})?"
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
# Compiled at the first error; `re` keeps them.
_PART = rf"(?i)({_NUMBER})\s?({_UNIT})(?![a-z])"
# "try again in 7m59.56s", "retry after 30 seconds", "Please wait 20 s before retrying",
# "retryDelay": "34s"
_IN_WORDS = (
    r"(?i)(?:(?:try|retry)(?:ing)?(?: (?:again|your request|this request))?(?: in| after)"
    r"|retry[-_ ]?(?:delay|after|in)[\"':=\s]{1,5}"
    r"|(?:please )?wait(?: for)?(?: at least| about| another)?)\s{0,3}"
    rf"(?P<time>(?:{_NUMBER}\s?(?:{_UNIT})(?![a-z])[\s,]{{0,2}}(?:and )?){{1,4}})"
)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait by ``Retry-After``, a number or a date; None without one."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(given.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000.0)
    value = given.get("retry-after")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    if (seconds := duration_s(value)) is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def reset_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until an exhausted rate limit is reset, by the rate limit's headers.

    Read are ``x-ratelimit-reset`` and ``ratelimit-reset`` (seconds, a moment in seconds or
    milliseconds, or "6m0s"), and ``x-ratelimit-reset-requests``, ``-tokens`` and so on where the
    matching ``x-ratelimit-remaining-...`` is 0.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    waits = []
    for name, value in given.items():
        head, found, tail = name.partition("ratelimit-reset")
        if not found or head not in ("", "x-"):
            continue
        if tail and tail != "-after" and _number(given.get(f"{head}ratelimit-remaining{tail}")):
            continue  # this limit is not exhausted
        if tail and tail != "-after" and f"{head}ratelimit-remaining{tail}" not in given:
            continue
        if (wait := _until(value)) is not None:
            waits.append(wait)
    return max(waits, default=None)


def in_words_s(text: str) -> float | None:
    """Return the seconds that an error's text asks to wait, as "try again in 30s"; else None."""
    found = re.search(_IN_WORDS, text)
    return None if found is None else duration_s(found["time"])


def duration_s(text: str) -> float | None:
    """Return a length of time such as "6m0s", "20ms" or "2 minutes" in seconds; None for others."""
    parts = re.findall(_PART, text)
    if not parts or re.sub(_PART, "", text).strip(" ,.and"):
        return None
    return math.fsum(float(number) * _UNITS[unit.lower()] for number, unit in parts)


def _until(value: str) -> float | None:
    number = _number(value)
    if number is None:
        return duration_s(value)
    if number > 1000 * _MOMENT:
        number /= 1000.0  # milliseconds
    return max(0.0, number - time.time() if number > _MOMENT else number)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
