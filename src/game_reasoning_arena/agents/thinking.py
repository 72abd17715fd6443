"""Separate thinking from the visible text of a model, by the marks of all model families.

One rule for all backends, applied where an answer comes in and where a recorded one is read:

- text between an opening and a closing mark of one family is thinking, wherever it stands;
- a closing mark alone ends thinking that the chat template began; of several the last counts;
- an opening mark alone begins thinking that never ended, as when the token limit cut it;
- of gpt-oss's channels only ``final`` is visible;
- a chat template's own tokens at the ends of the visible text are removed.

separate("<think>The centre is free.</think>\\nFinal Answer: x(1,1)<|im_end|>")
# ("Final Answer: x(1,1)", "The centre is free.")
"""

from __future__ import annotations

import re

#: Marks of thinking: <think>, <thinking>, <thought>, <reasoning> (also with a maker's name before
#: it, <seed:think>), [THINK] (Mistral), ◁think▷ (Kimi), <|START_THINKING|> (Cohere),
#: <|begin_of_thought|>, <|inner_prefix|> (Apertus), <|channel>thought ... <channel|> (Gemma).
_MARK = re.compile(
    r"<(?P<end>/?)(?P<name>(?:[a-z]{1,20}:)?(?:think|thinking|thought|reasoning))>"
    r"|\[(?P<end_square>/?)think\]"
    r"|\u25c1(?P<end_triangle>/?)think\u25b7"
    r"|<\|(?P<cohere>start|end)_thinking\|>"
    r"|<\|(?P<thought>begin|end)_of_thought\|>"
    r"|<\|inner_(?P<inner>prefix|suffix)\|>"
    r"|(?P<open_channel><\|channel>\w{0,20}\n?)|(?P<end_channel><channel\|>)",
    re.ASCII | re.IGNORECASE,
)
#: gpt-oss: <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final<|message|>...
_CHANNEL = re.compile(r"<\|channel\|>\s?(?P<name>\w{1,20})[^<\n]{0,100}", re.ASCII)
_HEADER_END = re.compile(r"(?:<\|constrain\|>[^<\n]{0,100})?<\|message\|>")
_BODY_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
#: The same where the server has dropped the special tokens and nothing else.
_BARE_CHANNEL = re.compile(r"\s{0,20}analysis(?=[A-Z\"'(])")
_BARE_FINAL = re.compile(r"assistant\s?final(?:\s?message)?", re.ASCII)

#: Tokens of chat templates.
_LAST_TOKEN = re.compile(
    r"(?:<\|[A-Za-z_]{1,40}\|>|</s>|<eos>|<end_of_turn>|<\uff5c[^<>\n]{1,40}\uff5c>"
    r"|\[\|endofturn\|\])\Z"
)
_FIRST_TOKEN = re.compile(r"\s{0,20}<\|(?:START_RESPONSE|begin_of_solution|START_TEXT)\|>\s{0,20}")
_LONGEST_TOKEN = 50
#: Characters of which every mark and token contains one.
_MARKED = re.compile(r"[<\[\u25c1]|^\s{0,20}analysis")


def separate(text: str) -> tuple[str, str | None]:
    """Return the visible text and the thinking in a text (None where none is marked).

    A text without any mark is returned unchanged; otherwise both are stripped.
    """
    if _MARKED.search(text) is None:
        return text, None  # almost every text
    visible, thoughts = _out_of_channels(text)
    visible, marked = _out_of_marks(visible)
    thoughts += marked
    visible = _without_tokens(visible)
    if not thoughts:
        return visible, None
    return visible.strip(), "\n".join(filter(None, map(str.strip, thoughts)))


def joined(*thoughts: str | None) -> str | None:
    """Return thinking from several sources as one text; None if there is none."""
    given = [thought for thought in thoughts if thought]
    return "\n".join(dict.fromkeys(given)) or None


def _out_of_channels(text: str) -> tuple[str, list[str]]:
    if "<|channel|>" not in text:
        return _out_of_bare_channels(text)
    visible: list[str] = []
    thoughts: list[str] = []
    position = 0
    for header in _CHANNEL.finditer(text):
        begin = _HEADER_END.match(text, header.end())
        if begin is None or header.start() < position:
            continue
        before = text[position : header.start()]
        if position == 0 and before.strip():  # the template began a channel in the prompt
            thought, closed, _ = before.partition("<|end|>")
            (thoughts if closed else visible).append(thought)
        end = _BODY_END.search(text, begin.end())
        position = len(text) if end is None else end.start()
        body = text[begin.end() : position]
        (visible if header["name"] == "final" else thoughts).append(body)
    return ("".join(visible), thoughts) if position else (text, [])


def _out_of_bare_channels(text: str) -> tuple[str, list[str]]:
    begin = _BARE_CHANNEL.match(text)
    if begin is None:
        return text, []
    final = _BARE_FINAL.search(text, begin.end())
    if final is None:
        return "", [text[begin.end() :]]
    return text[final.end() :], [text[begin.end() : final.start()]]


def _out_of_marks(text: str) -> tuple[str, list[str]]:
    visible, thoughts = _out_of_pairs(text)
    marks = [(mark, *_meaning(mark)) for mark in _MARK.finditer(visible)]
    after = 0
    for mark in (mark for mark, _, ends in marks if ends):  # the last one ends the thinking
        thoughts.append(visible[after : mark.start()])
        after = mark.end()
    opening = next((m for m, _, ends in marks if not ends and m.start() >= after), None)
    if opening is None:
        return visible[after:], thoughts
    thoughts.append(visible[opening.end() :])
    return visible[after : opening.start()], thoughts


def _out_of_pairs(text: str) -> tuple[str, list[str]]:
    """Return the text without what stands between two marks of one family, and what was removed."""
    marks = [(mark, *_meaning(mark)) for mark in _MARK.finditer(text)]
    last_end = {make: number for number, (_, make, ends) in enumerate(marks) if ends}
    kept: list[str] = []
    thoughts: list[str] = []
    begun: re.Match[str] | None = None
    begun_by = ""
    position = 0
    for number, (mark, make, ends) in enumerate(marks):
        if begun is None:
            if not ends and last_end.get(make, -1) > number:
                begun, begun_by = mark, make
        elif ends and make == begun_by:
            kept.append(text[position : begun.start()])
            thoughts.append(text[begun.end() : mark.start()])
            begun, position = None, mark.end()
    return "".join((*kept, text[position:])), thoughts


def _meaning(mark: re.Match[str]) -> tuple[str, bool]:
    """Return the family of a mark, and whether it ends thinking."""
    group = mark.lastgroup or ""
    if mark["name"] is not None:
        return mark["name"].lower(), bool(mark["end"])
    if group in ("end_square", "end_triangle"):
        return group, bool(mark[group])
    if group in ("open_channel", "end_channel"):
        return "channel", group == "end_channel"
    return group, mark[group].lower() in ("end", "suffix")


def _without_tokens(text: str) -> str:
    if first := _FIRST_TOKEN.match(text):
        text = text[first.end() :]
    while True:
        bare = text.rstrip()
        last = _LAST_TOKEN.search(bare, max(0, len(bare) - _LONGEST_TOKEN))
        if last is None:
            return text
        text = bare[: last.start()]
