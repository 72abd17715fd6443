"""Finish reasons of providers and their meanings.

The protocol has ``stop``, ``length``, ``content_filter`` and ``tool_calls``. Servers that translate
from a protocol of their own often keep its words, or add them as ``native_finish_reason``. Each
counts as:

=============  ====================================================================================
meaning        what an answer that ended so counts as
=============  ====================================================================================
``STOP``       an answer
``LENGTH``     an answer that the token limit cut: ``truncated`` unless it declares a move
``REFUSAL``    ``refused``: the model or a filter in front of it declined
``TOOLS``      an answer, for no tool was offered: its text is read, and ``empty`` without one
``ERROR``      no answer: an outage, asked for again
=============  ====================================================================================

Other words count as ``STOP`` and are recorded unchanged.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class Meaning(IntEnum):
    """The meaning of a finish reason. Of two words for one answer, the greater meaning counts."""

    STOP = 0
    TOOLS = 1
    LENGTH = 2
    REFUSAL = 3
    ERROR = 4


#: The protocol's own word for each meaning; errors are recorded in the provider's words.
WORDS = {
    Meaning.STOP: "stop",
    Meaning.TOOLS: "tool_calls",
    Meaning.LENGTH: "length",
    Meaning.REFUSAL: "content_filter",
}

# In lower case, with anything but letters and digits as one underscore, without a leading
# "finish_reason_".
_SPELLINGS: dict[Meaning, str] = {
    Meaning.STOP: """
        stop stop_sequence end_turn eos eos_token eos_found stop_token complete completed
        finish finished""",
    Meaning.TOOLS: """
        tool_calls tool_call tool_use function_call function_calls
        malformed_function_call unexpected_tool_call pause_turn""",
    Meaning.LENGTH: """
        length max_tokens max_token max_length max_output_tokens max_completion_tokens
        max_new_tokens model_length model_context_window_exceeded context_length context_limit
        context_window_exceeded token_limit token_limit_reached limit max_tokens_reached
        error_limit truncated incomplete""",
    Meaning.REFUSAL: """
        refusal refused content_filter content_filtered content_filter_error contentfilter
        safety recitation blocklist prohibited_content spii image_safety language
        guardrail guardrails guardrail_intervened guardrail_violation
        moderation moderated sensitive sensitive_content error_toxic blocked model_armor
        policy_violation content_policy_violation""",
    Meaning.ERROR: """
        error errored abort aborted cancelled canceled cancel failed failure fail timeout
        insufficient_system_resource internal_error server_error internal_server_error
        model_error engine_error network_error exception overloaded preempted
        interrupted unavailable service_unavailable""",
}
_MEANINGS = {word: meaning for meaning, words in _SPELLINGS.items() for word in words.split()}
_BETWEEN = re.compile(r"[^a-z0-9]+")
#: Longer words are none of these.
_LONGEST = 100


def meaning_of(word: str | None) -> Meaning | None:
    """Return the meaning of a finish reason; None for an unknown word or none."""
    return None if word is None or len(word) > _LONGEST else _meaning_of(word)


@lru_cache(maxsize=256)  # an answer's word is looked up ten times
def _meaning_of(word: str) -> Meaning | None:
    plain = _BETWEEN.sub("_", word.lower()).strip("_")
    return _MEANINGS.get(plain.removeprefix("finish_reason_"))


def worst(*words: str | None) -> Meaning | None:
    """Return the greatest meaning among several words for one answer."""
    known = [meaning for word in words if (meaning := meaning_of(word)) is not None]
    return max(known, default=None)
