"""The report of scored prompts in a real browser: filters, and answers beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from game_reasoning_arena.cli import run_command
from tests.analysis.page.browser import NAMES, Browser, find_chromium

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason=f"no Chromium here (looked for {', '.join(NAMES)})"
)

EVIL = "<img src=x onerror=alert(1)>Which is first?"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("answers")
    rows = [
        {
            "id": f"q{n}",
            "question": EVIL if n == 0 else f"Which is {n}?",
            "choices": ["a", "b", "c"],
            "answer": n % 3,
            "subject": "even" if n % 2 == 0 else "odd",
        }
        for n in range(12)
    ]
    file = home / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("first", "random"):
        words = ["simulation=prompts", f"simulation.file={file}", "agents=llm"]
        words += [f"agents.player_0.model=scripted_{name}", f"hydra.run.dir={home / name}"]
        assert run_command(words) == 0
    output = home / "report.html"
    runs = [str(home / "first"), str(home / "random")]
    assert run_command(["report", *runs, "--output", str(output)]) == 0
    return output


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


def choose(browser: Browser, control: str, value: str) -> int:
    """Set a filter; the number of episodes that are left."""
    browser.eval(
        f"Object.assign(document.getElementById('{control}'), {{value: '{value}'}})"
        ".dispatchEvent(new Event('change'))"
    )
    return int(browser.eval("view.rows.length"))


def test_answers_are_filtered_by_right_wrong_group_and_disagreement(
    page: Path, browser: Browser
) -> None:
    browser.open(page, "#episodes-top")
    browser.wait("!document.getElementById('list').hidden")
    assert choose(browser, "f-answers", "") == 24
    right, wrong = choose(browser, "f-answers", "r"), choose(browser, "f-answers", "x")
    assert right + wrong == 24
    assert right >= 4  # the first choice is right in every third
    assert choose(browser, "f-answers", "-") == 0
    differ = choose(browser, "f-answers", "differ")
    marks = browser.eval(
        "[...Array(12)].filter((_, n) => new Set(index.episodes.marks.filter((_, i) =>"
        " index.episodes.name[i] === `q${n}`)).size > 1).length"
    )
    assert differ == 2 * marks > 0
    assert choose(browser, "f-answers", "") == 24
    assert choose(browser, "f-group", "0") == 12
    assert choose(browser, "f-group", "-1") == 24
    assert "✓" in browser.text("#episodes tbody")
    assert browser.faults == []


def test_a_prompt_is_shown_with_what_was_expected_and_everybodys_answer(
    page: Path, browser: Browser, tmp_path: Path
) -> None:
    browser.open(page, "#/0/0")
    browser.wait("document.querySelector('#beside section')")
    assert EVIL in browser.text("#question")
    assert browser.text("#expected") == "A. a"
    assert "scripted_first" in browser.text("#answers")
    assert "right" in browser.text("#answers .chip")
    assert "scripted_random" in browser.text("#beside")
    assert "Final Answer: A" in browser.text("#answers .answer")
    browser.press("]")
    browser.wait("location.hash === '#/0/1'")
    browser.wait("document.getElementById('question').textContent.includes('Which is 1?')")
    browser.press("ArrowRight")  # a prompt has no moves to step through
    assert "Which is 1?" in browser.text("#question")
    browser.press("Escape")
    browser.wait("!document.getElementById('list').hidden")
    assert browser.dialogs == []
    assert browser.faults == []
    picture = tmp_path / "answers.png"
    browser.open(page, "#/0/0")
    browser.wait("document.querySelector('#beside section')")
    browser.screenshot(picture)
    assert picture.stat().st_size > 10_000
