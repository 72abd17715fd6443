"""Text that any file can hold."""

from __future__ import annotations


def in_unicode(text: str) -> str:
    """The text with a mark for each half character, which JSON can say and no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
