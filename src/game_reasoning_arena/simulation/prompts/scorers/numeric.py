"""Numbers as people and models write them, compared with tolerances and units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers.base import (
    Found,
    Scored,
    Scorer,
    Unreadable,
    peeled,
)
from game_reasoning_arena.simulation.prompts.scorers.units import Unit, unit_of

#: The most digits and the largest exponent; longer answers are wrong and would fill the memory.
_MOST_DIGITS = 400
_MOST_EXPONENT = 400

# A reply may be 100,000 times the same character: no pattern may go back over the same text.
_SIGN = r"[+\-\u2212\u2013]"
_GAP = r"[ \t\u00a0]{0,2}+"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:[\u00a0\u202f\u2009 ]\d{3})+|\d{1,3}(?:'\d{3})+|\d+)"
_PLAIN = rf"(?:{_DIGITS}(?:\.\d*+)?|\.\d++)"
_POWER = (
    rf"(?:[eE][+\-\u2212]?\d++|{_GAP}(?:[x*\u00d7\u00b7]|\\times|\\cdot){_GAP}10{_GAP}\^{_GAP}"
    r"\{?[+\-\u2212]?\d++\}?)"
)
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN}?){_GAP}(?P<currency>\\?[$\u20ac\u00a3\u00a5]?){_GAP}(?P<sign2>{_SIGN}?)"
    rf"(?:\\d?frac\{{{_GAP}(?P<top>\d++){_GAP}\}}\{{{_GAP}(?P<bottom>\d++){_GAP}\}}"
    rf"|(?P<whole>\d++)[ \t\u00a0]{{1,3}}+(?P<num>\d++){_GAP}/{_GAP}(?P<den>\d++)"
    rf"|(?P<over>{_PLAIN}){_GAP}/{_GAP}(?P<under>\d[\d,]*+)"
    rf"|(?P<plain>{_PLAIN})(?P<power>{_POWER}?))"
)
#: Possible text before a number: a name that is given the value (``x = 5``), or ``about``.
_BEFORE = re.compile(
    r"(?:[A-Za-z][A-Za-z ]{0,30}[=:\u2248]\s{0,3}+)?"
    r"(?:(?:about|approximately|approx\.?|roughly|~|\u2248)\s{0,3}+)?",
    re.IGNORECASE,
)
#: Possible text after one: a unit or a few words, without another number or a power.
_AFTER = re.compile(r"(?![\u00b9\u00b2\u00b3\u2070-\u2079/^])[^\d]{0,60}")
#: Digits and marks of East Asian width.
_NARROW = {0xFF01 + n: 0x21 + n for n in range(94)}
#: The number behind the last `####`, as GSM8K's answers end.
_HASHES = re.compile(r"####[ \t]{0,8}+([^\n]++)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and the text after it in lower case; ``percent`` if it is a share of 100."""

    value: Fraction
    unit: str = ""


def quantity(text: str, *, decimal_comma: bool = False) -> Quantity | None:
    """Return the number that a text states, with the text after it; None if it states none.

    Args:
        text: such as ``1,234.50 USD``, ``-3/4``, ``1.5e3``, ``72 apples``, ``x = 5``.
        decimal_comma: whether a comma begins the decimals, and full stops group digits.
    """
    text = text.translate(_NARROW).strip()
    before = _BEFORE.match(text)
    text = text[before.end() :] if before is not None else text
    if decimal_comma:
        text = text.translate(str.maketrans(",.", ".,"))
    match = _NUMBER.match(text)
    if match is None:
        return None
    rest = text[match.end() :]
    if _AFTER.fullmatch(rest) is None or re.match(r",\w|\.\w", rest):
        return None
    value = _value(match)
    if value is None:
        return None
    unit = (match["currency"].lstrip("\\") + " " + rest).strip().strip(".,;!").strip().lower()
    return Quantity(value, unit)


def _value(match: re.Match[str]) -> Fraction | None:
    negative = (match["sign"] or match["sign2"]) not in ("", "+")
    if len(match[0]) > _MOST_DIGITS:
        return None
    try:
        if match["top"] is not None:
            value = Fraction(int(match["top"]), int(match["bottom"]))
        elif match["whole"] is not None:
            value = int(match["whole"]) + Fraction(int(match["num"]), int(match["den"]))
        elif match["over"] is not None:
            value = Fraction(_bare(match["over"])) / int(_bare(match["under"]))
        else:
            value = Fraction(_bare(match["plain"]))
            if match["power"]:
                exponent = int(re.findall(r"[+\-]?\d+", _minus(match["power"]))[-1])
                if abs(exponent) > _MOST_EXPONENT:
                    return None
                value *= Fraction(10) ** exponent
    except (ZeroDivisionError, ValueError):
        return None
    return -value if negative else value


def _minus(text: str) -> str:
    return text.replace("\u2212", "-")


def _bare(digits: str) -> str:
    return re.sub(r"[,'\s]", "", digits).rstrip(".")


def last_number(text: str, *, decimal_comma: bool = False) -> tuple[str, str] | None:
    """Return the number that GSM8K's rule finds in a text, and the part of the rule that found it.

    This is the text behind the last ``####`` (``hashes``), else the last number (``last_number``).
    Source: K. Cobbe and others (2021), Training Verifiers to Solve Math Word Problems, whose
    solutions end so; the last number is the flexible rule of evaluation harnesses.
    """
    marked = _HASHES.findall(text)
    for written in reversed(marked[-1:]):
        if quantity(written, decimal_comma=decimal_comma) is not None:
            return written.strip(), "hashes"
    last = None
    for match in _NUMBER.finditer(text):
        last = match
    if last is None:
        return None
    before = text[last.start() - 1 : last.start()]
    written = last[0].strip()
    if before.isalnum() and written[:1] in "+-\u2212\u2013":
        written = written[1:].strip()  # the dash of a range or of a name
    tail = re.match(r"\s*%", text[last.end() :])
    return written + (tail[0] if tail else ""), "last_number"


class Numeric(Scorer):
    """Right if the answer is the expected number.

    Args:
        tolerance: the largest allowed difference.
        relative: the same as a share of the expected number; the larger of both holds.
        units: ``ignore`` the text after the number; ``convert``: a given unit must be of the
            expected one's kind and is converted; ``require``: the same, and it must be given.
        decimal_comma: whether numbers are written 1.234,5.
    """

    name: ClassVar[str] = "numeric"
    reads: ClassVar[tuple[str, ...]] = ("line", "json", "whole", "last_number")

    def __init__(
        self,
        *,
        read: str = "line",
        tolerance: float = 0.0,
        relative: float = 0.0,
        units: str = "ignore",
        decimal_comma: bool = False,
    ) -> None:
        super().__init__(read=read)
        for name, value in (("tolerance", tolerance), ("relative", relative)):
            if not 0 <= value < float("inf"):
                raise UserError(f"simulation.scorer.{name}={value}: give 0 or more.")
        if units not in ("ignore", "convert", "require"):
            raise UserError(
                f"simulation.scorer.units={units} is unknown. Possible: convert, ignore, require."
            )
        self.tolerance = Fraction(str(tolerance))
        self.relative = Fraction(str(relative))
        self.units = units
        self.decimal_comma = decimal_comma

    def key(self, item: Item) -> Quantity:
        expected = item.expected
        if isinstance(expected, bool) or not isinstance(expected, str | int | float):
            raise Unreadable(f"is {expected!r:.60}, and no number")
        text = str(expected)
        if "####" in text and (found := last_number(text, decimal_comma=self.decimal_comma)):
            text = found[0]
        read = quantity(text, decimal_comma=self.decimal_comma and isinstance(expected, str))
        if read is None:
            raise Unreadable(
                f"is {text!r:.60}, and no number. Correct the row, or use simulation.scorer=exact"
            )
        if self.units != "ignore" and read.unit and unit_of(read.unit) is None:
            raise Unreadable(
                f"has the unit {read.unit!r}, which cannot be converted. Correct the row, or set "
                "simulation.scorer.units=ignore"
            )
        return read

    def shown(self, item: Item, key: Quantity) -> str:
        return f"{written(key.value)} {key.unit}".strip()

    def example(self, item: Item, key: Quantity) -> str:
        """Return the row's own reasons if it has any, as GSM8K's rows do, then the answer."""
        reasons, marked, _ = str(item.expected).rpartition("####")
        answer = super().example(item, key)
        return f"{reasons.strip()}\n{answer}" if marked and reasons.strip() else answer

    def score(self, found: Found, item: Item, key: Quantity) -> Scored:
        rule, mine = self._read(found)
        if mine is None:
            kept = None if found.forms == ("prose",) else found.text[:200]
            return Scored(0.0, rule, kept, readable=False)
        answer = written(mine.value)
        if self.units != "ignore":
            wanted, given = unit_of(key.unit), unit_of(mine.unit)
            if key.unit and not mine.unit and self.units == "require":
                return Scored(0.0, "no_unit", answer)
            if mine.unit and (given is None or wanted is None or given.kind != wanted.kind):
                return Scored(0.0, "other_unit", f"{answer} {mine.unit}"[:200])
            mine = Quantity(_in_base(mine.value, given or wanted), "")
            key = Quantity(_in_base(key.value, wanted), "")
        off = abs(mine.value - key.value)
        right = off <= max(self.tolerance, self.relative * abs(key.value))
        return Scored(float(right), rule, answer)

    def _read(self, found: Found) -> tuple[str, Quantity | None]:
        if found.forms != ("prose",):
            for text, _ in peeled(found):
                if (read := quantity(text, decimal_comma=self.decimal_comma)) is not None:
                    return "", read
            if self.read != "last_number":
                return "no_number", None
        last = last_number(found.text, decimal_comma=self.decimal_comma)
        if last is None:
            return "no_number", None
        return last[1], quantity(last[0], decimal_comma=self.decimal_comma)


def _in_base(value: Fraction, unit: Unit | None) -> Fraction:
    return value if unit is None else value * unit.factor + unit.offset


def written(value: Fraction) -> str:
    """Return a number in its plainest form: a whole number, decimals that end, or a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1 or value.denominator > 10**12:
        return str(value) if len(str(value)) <= 40 else f"{float(value):.12g}"
    digits = 0
    scaled = value
    while scaled.denominator != 1:
        scaled *= 10
        digits += 1
    sign, whole = ("-" if scaled < 0 else ""), str(abs(scaled.numerator)).rjust(digits + 1, "0")
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}"
