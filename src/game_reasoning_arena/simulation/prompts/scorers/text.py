"""Answers compared as texts: exactly, one of several, contained, by a pattern, by words."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers.base import (
    Found,
    Scored,
    Scorer,
    Unreadable,
    peeled,
)

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’“”«»…–—·。、，", " "))
_JOINING = str.maketrans(dict.fromkeys("'’", ""))


class Normal:
    """Normalises texts for comparison.

    Args:
        ignore_case: whether letters of either case are equal.
        ignore_punctuation: whether punctuation is removed.
        ignore_articles: whether a, an and the are removed.

    Any white space counts as one space, and characters with the same NFKC form are equal.
    """

    def __init__(
        self, *, ignore_case: bool, ignore_punctuation: bool, ignore_articles: bool
    ) -> None:
        self.case = ignore_case
        self.punctuation = ignore_punctuation
        self.articles = ignore_articles

    def __call__(self, text: str) -> str:
        text = unicodedata.normalize("NFKC", text)
        if self.case:
            text = text.casefold()
        if self.punctuation:
            bare = text.translate(_JOINING).translate(_PUNCTUATION)
            text = bare if bare.strip() else text  # an answer such as ")]" is all punctuation
        if self.articles:
            bare = _ARTICLES.sub(" ", text)
            text = bare if bare.strip() else text
        return " ".join(text.split())


class Exact(Scorer):
    """Right if the answer equals the expected one after normalisation."""

    name: ClassVar[str] = "exact"

    def __init__(
        self,
        *,
        read: str = "line",
        ignore_case: bool = True,
        ignore_punctuation: bool = False,
        ignore_articles: bool = False,
    ) -> None:
        super().__init__(read=read)
        self.normal = Normal(
            ignore_case=ignore_case,
            ignore_punctuation=ignore_punctuation,
            ignore_articles=ignore_articles,
        )

    def key(self, item: Item) -> tuple[str, ...]:
        expected = item.expected
        if isinstance(expected, list | dict):
            raise Unreadable(
                "is no single text. For one of several right answers: simulation.scorer=one_of; "
                "for objects: simulation.scorer=json"
            )
        return self._bare(_text(expected))

    def _bare(self, expected: str) -> tuple[str, ...]:
        """Return the expected answer, and the same without the decoration forgiven around an
        answer.
        """
        found = Found(expected.strip(), ("line",))
        return tuple(dict.fromkeys(self.normal(text) for text, _ in peeled(found)))

    def score(self, found: Found, item: Item, key: Sequence[str]) -> Scored:
        answer = self.normal(found.text)
        for text, forms in peeled(found):
            normal = self.normal(text)
            if normal in key:
                return Scored(1.0, "+".join(forms), normal)
            answer = normal if len(normal) < len(answer) else answer
        return Scored(0.0, "", answer[:200])


class OneOf(Exact):
    """Right if the answer equals one of the expected ones after normalisation."""

    name: ClassVar[str] = "one_of"

    def key(self, item: Item) -> tuple[str, ...]:
        return tuple(form for text in several(item.expected) for form in self._bare(text))

    def shown(self, item: Item, key: Any) -> str | None:
        return " | ".join(several(item.expected))


class Contains(OneOf):
    """Right if the text contains an expected one (``all``: each of them).

    Args:
        all: whether every expected text must be there, rather than one of them.
        whole_words: whether a match inside a longer word does not count.
    """

    name: ClassVar[str] = "contains"

    def __init__(
        self,
        *,
        read: str = "whole",
        all: bool = False,
        whole_words: bool = True,
        ignore_case: bool = True,
        ignore_punctuation: bool = False,
        ignore_articles: bool = False,
    ) -> None:
        super().__init__(
            read=read,
            ignore_case=ignore_case,
            ignore_punctuation=ignore_punctuation,
            ignore_articles=ignore_articles,
        )
        self.all = all
        self.whole_words = whole_words

    def key(self, item: Item) -> tuple[str, ...]:
        return tuple(self.normal(text) for text in several(item.expected))

    def score(self, found: Found, item: Item, key: Sequence[str]) -> Scored:
        text = self.normal(found.text)
        held = [one for one in key if self._holds(text, one)]
        right = len(held) == len(key) if self.all else bool(held)
        return Scored(float(right), "all" if self.all else "", " | ".join(held)[:200] or None)

    def _holds(self, text: str, part: str) -> bool:
        if not self.whole_words:
            return part in text
        start = text.find(part)
        while start >= 0:
            end = start + len(part)
            before = start > 0 and text[start - 1].isalnum() and part[0].isalnum()
            after = end < len(text) and text[end].isalnum() and part[-1].isalnum()
            if not before and not after:
                return True
            start = text.find(part, start + 1)
        return False


class Pattern(Scorer):
    """Right if a regular expression (Python's ``re``) matches.

    The recorded answer is the first group that took part in the match, else the whole match.

    Args:
        pattern: for all rows; null takes each row's expected answer as one.
        full: whether it must match the answer from end to end.
        ignore_case: whether letters of either case are equal.
    """

    name: ClassVar[str] = "regex"

    def __init__(
        self,
        *,
        read: str = "whole",
        pattern: str | None = None,
        full: bool = False,
        ignore_case: bool = False,
    ) -> None:
        super().__init__(read=read)
        self.full = full
        self.flags = re.IGNORECASE if ignore_case else 0
        self.pattern: re.Pattern[str] | None = None
        if pattern is not None:
            self.needs_answer = False
            try:
                self.pattern = re.compile(pattern, self.flags)
            except re.error as error:
                raise UserError(
                    f"simulation.scorer.pattern={pattern!r} is no regular expression: {error}."
                ) from error

    def key(self, item: Item) -> re.Pattern[str]:
        if self.pattern is not None:
            return self.pattern
        try:
            return re.compile(_text(item.expected), self.flags)
        except re.error as error:
            raise Unreadable(
                f"is no regular expression: {error}. Correct it, or use simulation.scorer=contains"
            ) from error

    def shown(self, item: Item, key: Any) -> str | None:
        return None if item.expected is None else _text(item.expected)

    def score(self, found: Found, item: Item, key: re.Pattern[str]) -> Scored:
        match = key.fullmatch(found.text) if self.full else key.search(found.text)
        if match is None:
            return Scored(0.0, "", None)
        groups = [group for group in match.groups() if group]
        return Scored(1.0, "", (groups[0] if groups else match[0])[:200])


class WordF1(OneOf):
    """The F1 of the words of the answer and of the expected one; the best of several.

    Source: P. Rajpurkar, J. Zhang, K. Lopyrev, P. Liang (2016), SQuAD: 100,000+ Questions for
    Machine Comprehension of Text, section 6.1, whose normalisation is the default here.
    """

    name: ClassVar[str] = "f1"

    def __init__(
        self,
        *,
        read: str = "line",
        ignore_case: bool = True,
        ignore_punctuation: bool = True,
        ignore_articles: bool = True,
    ) -> None:
        super().__init__(
            read=read,
            ignore_case=ignore_case,
            ignore_punctuation=ignore_punctuation,
            ignore_articles=ignore_articles,
        )

    def key(self, item: Item) -> tuple[str, ...]:
        return tuple(self.normal(text) for text in several(item.expected))

    def score(self, found: Found, item: Item, key: Sequence[str]) -> Scored:
        answer = self.normal(found.text)
        return Scored(max(_f1(answer.split(), one.split()) for one in key), "", answer[:200])


def _f1(mine: Sequence[str], wanted: Sequence[str]) -> float:
    shared = sum((Counter(mine) & Counter(wanted)).values())
    return 2 * shared / (len(mine) + len(wanted)) if shared else 0.0


def several(expected: Any) -> list[str]:
    """Return one or several expected answers as texts.

    Raises:
        Unreadable: there is none, or it is no text.
    """
    if isinstance(expected, dict) and isinstance(expected.get("text"), list):
        expected = expected["text"]  # SQuAD's `answers`
    texts = [_text(one) for one in expected] if isinstance(expected, list) else [_text(expected)]
    if not texts:
        raise Unreadable("is an empty list. Give each row at least one right answer")
    return texts


def _text(expected: Any) -> str:
    if isinstance(expected, bool):
        return str(expected).lower()
    if not isinstance(expected, str | int | float) or (
        isinstance(expected, str) and not expected.strip()
    ):
        raise Unreadable(f"is {expected!r:.60}, and no text")
    return str(expected)
