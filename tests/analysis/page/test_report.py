"""The report's page in a real browser: replay, filters, keys, and texts that try to break out."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspiel
import pytest

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.page.index import game_parameters
from game_reasoning_arena.analysis.page.markup import visible
from game_reasoning_arena.analysis.page.report import write_report
from game_reasoning_arena.cli import run_command
from game_reasoning_arena.recording import load_runs
from tests.analysis.make_runs import Player, make_run
from tests.analysis.page.browser import NAMES, Browser, find_chromium

needs_browser = pytest.mark.skipif(
    find_chromium() is None, reason=f"no Chromium here (looked for {', '.join(NAMES)})"
)

ATTACK = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "<svg onload=alert(3)></svg></pre></section></body><style>body{display:none}</style>"
    "<!-- --><a href='javascript:alert(4)'>go</a>"
    "\u202eright to left\u202c\u2066isolate\u2069 \u0007 \x1b[31mred {{ 7*7 }} ${alert(5)}"
    "\nFinal Answer: "
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("report")
    hostile = Player(
        "litellm_evil/<img src=x onerror=alert(6)>",
        fail=0.05,
        rethink=0.1,
        answer=lambda q: ATTACK + q.action_text,
        reasoning=lambda q: ATTACK,
        system=ATTACK,
        served="</script><b>served",
        cost_usd=0.001,
    )
    make_run(home / "duel", {"player_0": hostile, "player_1": Player()}, episodes=120, outages=0.05)
    cards = {"player_0": Player("vllm_calm"), "player_1": Player("vllm_other", fail=0.1)}
    make_run(home / "cards", cards, game="leduc_poker", episodes=12)
    make_run(home / "dice", cards, game="liars_dice", episodes=4)
    loaded = load_runs(home, moves=True)
    output = home / "report.html"
    write_report(Comparison(loaded), output, title="Report <script>alert(7)</script>")
    return output


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


def _episode(browser: Browser) -> bool:
    return bool(browser.eval("!document.getElementById('replay').hidden"))


def test_nothing_a_model_wrote_is_in_the_file_as_it_was(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<svg onload" not in text
    assert "<script>alert(7)" not in text
    assert "\u202e" not in text
    assert 'http-equiv="Content-Security-Policy"' in text
    assert "https://" not in text
    assert text.count("<script>") == 1


@needs_browser
def test_hostile_text_is_only_text(page: Path, browser: Browser) -> None:
    browser.requests.clear()
    browser.open(page, "#/2/2/1")
    browser.wait("document.querySelector('.answer')")
    answer = browser.text(".answer")
    assert "</script><script>alert(1)</script><img src=x onerror=alert(2)>" in answer
    assert "U+202Eright to left" in answer
    assert "\u202e" not in answer
    assert "U+001B" in answer
    assert "{{ 7*7 }} ${alert(5)}" in answer
    browser.eval("document.querySelectorAll('details').forEach((d) => d.open = true)")
    assert (
        browser.eval(
            "document.querySelectorAll('#replay img, #replay script, #replay a[href^=java]').length"
        )
        == 0
    )
    assert browser.eval("document.querySelectorAll('img, iframe, object, form').length") == 0
    assert browser.eval("getComputedStyle(document.body).display") == "block"
    assert browser.dialogs == []
    assert browser.faults == []
    assert [r for r in browser.requests if not r.startswith(("file:", "about:", "data:"))] == []


@needs_browser
def test_even_injected_markup_would_not_run(page: Path, browser: Browser, tmp_path: Path) -> None:
    """The policy is a second wall: a page with an attack put in by hand still runs nothing."""
    broken = tmp_path / "broken.html"
    broken.write_text(
        page.read_text(encoding="utf-8").replace(
            "<header>", "<header><img src=x onerror=alert(8)><script>alert(9)</script>", 1
        ),
        encoding="utf-8",
    )
    browser.open(broken)
    assert browser.dialogs == []
    assert any("Content Security Policy" in fault for fault in browser.faults)
    browser.faults.clear()


@needs_browser
def test_a_game_is_clicked_through(page: Path, browser: Browser, tmp_path: Path) -> None:
    browser.open(page)
    browser.click("nav a[href='#episodes-top']")
    browser.wait("!document.getElementById('list').hidden")
    assert browser.eval("document.querySelectorAll('#episodes tbody tr').length") == 50
    assert "of 136 episodes, page 1 of 3" in browser.text("#count")
    browser.click("#next-page")
    assert "page 2 of 3" in browser.text("#count")
    browser.click("#previous-page")
    browser.eval(
        "Object.assign(document.getElementById('f-game'), {value: '2'})"
        ".dispatchEvent(new Event('change'))"
    )
    browser.click("#episodes tbody tr:nth-child(1) td:nth-child(3)")
    browser.wait(
        "!document.getElementById('replay').hidden && document.querySelector('#board svg')"
    )
    steps = browser.eval("view.steps.length")
    for step in range(1, steps):
        browser.click("#forward")
        assert browser.eval("view.step") == step
        assert browser.eval("document.querySelectorAll('#board .mark').length") == browser.eval(
            "view.steps[view.step].moves"
        )
    assert browser.eval("document.getElementById('forward').disabled") is True
    picture = tmp_path / "replay.png"
    browser.screenshot(picture)
    assert picture.stat().st_size > 10_000
    assert browser.faults == []


@needs_browser
def test_keys_alone_do(page: Path, browser: Browser) -> None:
    browser.open(page, "#/2/2")
    browser.wait("document.getElementById('board')")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert browser.eval("location.hash") == "#/2/2/2"
    browser.press("End")
    assert browser.eval("view.step === view.steps.length - 1")
    browser.press("Home")
    assert browser.eval("view.step") == 0
    browser.press("]")
    browser.wait("document.getElementById('title').textContent.startsWith('Episode 3 ')")
    browser.press("Escape")
    browser.wait("!document.getElementById('list').hidden")
    browser.eval("document.querySelector('#episodes tbody a').focus()")
    browser.press("Enter")
    browser.wait("!document.getElementById('replay').hidden")
    assert browser.faults == []


@needs_browser
@pytest.mark.parametrize(
    ("control", "value", "test"),
    [
        ("f-result", "forfeit", lambda row: "forfeits" in row),
        ("f-result", "error", lambda row: "error" in row),
        ("f-failure", "1", lambda row: "unparsable" in row),
        ("f-number", "7", lambda row: row.startswith("7")),
        ("f-game", "0", lambda row: "leduc_poker" in row),
    ],
)
def test_filters_show_what_they_say(
    page: Path, browser: Browser, control: str, value: str, test: Any
) -> None:
    browser.open(page, "#episodes-top")
    total = browser.eval("view.rows.length")
    browser.eval(
        f"(() => {{ const f = document.getElementById('{control}'); f.value = '{value}';"
        "f.dispatchEvent(new Event('change')); f.dispatchEvent(new Event('input')); })()"
    )
    rows = browser.eval(
        "[...document.querySelectorAll('#episodes tbody tr')].map((r) => r.textContent)"
    )
    assert 0 < len(rows) < total
    assert all(test(row) for row in rows)


@needs_browser
def test_a_winner_is_found_by_player_and_result(page: Path, browser: Browser) -> None:
    browser.open(page, "#episodes-top")
    found = browser.eval(
        "(() => { const label = index.labels.indexOf('random');"
        "document.getElementById('f-player').value = label;"
        "document.getElementById('f-result').value = 'w'; filtered();"
        "const seats = (i) => seatsOf(i).map((s) => s[0]);"
        "return view.rows.map((i) => [seats(i), index.episodes.results[i], label]); })()"
    )
    assert found
    assert all(results[seats.index(label)] == "w" for seats, results, label in found)


def _random_game(name: str, seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Moves as records hold them, and the engine's own text after each."""
    rng = random.Random(seed)
    state = pyspiel.load_game(name).new_initial_state()
    moves: list[Any] = []
    texts = [str(state)]
    while not state.is_terminal() and len(moves) < 120:
        seat = -1 if state.is_chance_node() else state.current_player()
        action = rng.choice(state.legal_actions())
        moves.append({"seat": seat, "text": state.action_to_string(state.current_player(), action)})
        state.apply_action(action)
        texts.append(str(state))
    return moves, texts


def _rows(game: str, text: str) -> list[str]:
    if game == "chess":
        board = text.split()[0].split("/")
        return ["".join("." * int(c) if c.isdigit() else c for c in row) for row in board]
    if game == "othello":
        lines = [line.split() for line in text.splitlines() if line[:1].isdigit()]
        return ["".join(line[1:-1]).replace("-", ".") for line in lines]
    if game == "breakthrough":
        return [line[1:] for line in text.splitlines() if line[:1].isdigit()]
    if game == "hex":
        return [line.replace(" ", "") for line in text.splitlines() if line.strip()]
    return [line for line in text.splitlines() if line.strip()]


@needs_browser
@pytest.mark.parametrize(
    "game",
    [
        "tic_tac_toe",
        "connect_four",
        "connect_four(rows=5,columns=6)",
        "hex(board_size=5)",
        "othello",
        "breakthrough(rows=6,columns=6)",
        "chess",
    ],
)
def test_boards_are_the_engines(page: Path, browser: Browser, game: str) -> None:
    browser.open(page)
    short = game.partition("(")[0]
    for seed in range(6):
        moves, texts = _random_game(game, seed)
        drawn = browser.eval(
            f"(() => {{ const moves = {json.dumps(moves)};"
            f"const p = {json.dumps(game_parameters(game))};"
            "return [...moves.keys(), moves.length].map((k) =>"
            f"BOARDS['{short}'].position(moves.slice(0, k), p)?.cells.map((r) => r.join('')));"
            "})()"
        )
        engine = [_rows(short, text) for text in texts]
        if short == "hex":  # the engine also tells which edges stones are joined to
            engine = [[_plain_hex(row) for row in rows] for rows in engine]
        assert drawn == engine


def _plain_hex(row: str) -> str:
    return "".join("." if c == "." else "x" if c in "xyzX" else "o" for c in row)


@needs_browser
def test_cards_follow_the_engine(page: Path, browser: Browser) -> None:
    browser.open(page)
    for seed in range(12):
        moves, texts = _random_game("leduc_poker", seed)
        state = browser.eval(f"BOARDS.leduc_poker.position({json.dumps(moves)}, {{}})")
        money = next(line for line in texts[-1].splitlines() if line.startswith("Money"))
        cards = next(line for line in texts[-1].splitlines() if line.startswith("Cards"))
        public, first, second = (
            int(c)
            for c in cards.rpartition(":")[2]
            .replace("Cards (public player_0 player_1)", "")
            .split()[-3:]
        )
        names = [f"{'JQK'[c // 2]}{'♠♥'[c % 2]}" for c in (first, second)]
        assert state["hands"] == names
        assert len(state["open"]) == (public >= 0)
        if "Fold" in texts[-1]:
            assert len(state["folded"]) == 1
        assert "Money" in money
        bet = next(line for line in texts[-2].splitlines() if line.startswith("Money")).split()[-2:]
        before = browser.eval(f"BOARDS.leduc_poker.position({json.dumps(moves[:-1])}, {{}})")
        assert before["paid"] == [100 - int(b) for b in bet]
    moves, _ = _random_game("kuhn_poker", 3)
    hands = browser.eval(f"BOARDS.kuhn_poker.position({json.dumps(moves)}, {{}}).hands")
    assert hands == ["JQK"[int(m["text"][-1])] for m in moves if m["seat"] < 0]


@needs_browser
def test_games_without_a_board_show_the_prompt(page: Path, browser: Browser) -> None:
    browser.open(page, "#/1/0/3")
    browser.wait("document.querySelector('#board pre')")
    assert "You are seat" in browser.text("#board pre")


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(page: Path, dark: bool, tmp_path: Path) -> None:
    with Browser(dark=dark) as one:
        one.open(page)
        ground = one.eval("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 22, 26)" if dark else "rgb(251, 250, 247)")
        one.click("#theme")
        assert one.eval("getComputedStyle(document.body).backgroundColor") != ground
        assert one.eval("document.querySelectorAll('.plots svg').length") >= 3
        one.screenshot(tmp_path / "page.png")


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_the_current_move_can_be_read(page: Path, dark: bool) -> None:
    """Also where it is a deal, whose name is else shown softly: WCAG's contrast of 4.5 and more."""
    with Browser(dark=dark) as one:
        for step in (1, 3):
            one.open(page, f"#/0/1/{step}")
            colours = one.eval(
                "(() => { const c = getComputedStyle(document.querySelector("
                "'.moves button[aria-current]')); return [c.color, c.backgroundColor]; })()"
            )
            lights = sorted(
                sum(
                    weight * ((int(part) / 255 + 0.055) / 1.055) ** 2.4
                    for weight, part in zip((0.2126, 0.7152, 0.0722), found, strict=True)
                )
                for found in (re.findall(r"\d+", colour)[:3] for colour in colours)
            )
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, (step, colours)


@needs_browser
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(page: Path, width: int) -> None:
    with Browser(width=width) as one:
        for part in ("", "#episodes-top", "#/2/2/1", "#/0/1/3"):
            one.open(page, part)
            assert one.eval("document.documentElement.scrollWidth <= innerWidth"), (width, part)


def test_parameters_of_a_game_string() -> None:
    assert game_parameters("hex(board_size=5,swap=True)") == {"board_size": "5", "swap": "True"}
    assert game_parameters("tic_tac_toe") == {}
    assert game_parameters("repeated_game(stage_game=matrix_pd(),num_repetitions=5)") == {}


def test_visible_text() -> None:
    assert visible("a<b>\u202e\n") == "a&lt;b&gt;[U+202E]\n"


def test_a_page_of_several_runs_leaves_theirs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("out/a", "out/b", "out/sweep/0", "out/sweep/1"):
        make_run(tmp_path / place, {"player_0": Player("vllm_a"), "player_1": Player()}, episodes=2)
    monkeypatch.chdir(tmp_path)

    def report(*words: str) -> str:
        assert run_command(["report", *words]) == 0
        said = capsys.readouterr().out
        return said.partition("wrote ")[2].partition(" (")[0]

    own = {name: report(name) for name in ("out/a", "out/sweep")}
    assert own == {name: f"{name}/report.html" for name in own}
    before = {page: Path(page).read_bytes() for page in own.values()}
    assert report("out/a", "out/b") == "out/report-a-b.html"
    assert "<title>Arena report: a, b</title>" in Path("out/report-a-b.html").read_text()
    assert report("out/sweep/0", "out/sweep/1") == "out/sweep/report-0-1.html"
    assert report("out/*") == "out/report-a-to-sweep_1-4-runs.html"
    assert report("out/[a]") == "out/a/report.html"
    Path("pages").mkdir()
    assert report("out/a", "out/b", "--output", "pages") == "pages/report-a-b.html"
    assert report("out/a", "out/b", "--output", "new/ab.html") == "new/ab.html"
    assert {page: Path(page).read_bytes() for page in own.values()} == before


@needs_browser
def test_at_a_desktop_width_no_table_scrolls_sideways(tmp_path: Path) -> None:
    for name in ("litellm_openrouter/meta-llama/llama-3.1-8b-instruct", "vllm_Qwen2-7B-Instruct"):
        players = {"player_0": Player(name, fail=0.1, rethink=0.1), "player_1": Player()}
        make_run(tmp_path / name[:5], players, episodes=20, outages=0.1, substitute=True)
    page = tmp_path / "report.html"
    write_report(Comparison(load_runs(tmp_path, moves=True)), page, title="Two models")
    wider = (
        "[...document.querySelectorAll('.wide-table')].filter((t) => t.scrollWidth > t.clientWidth)"
        ".map((t) => t.getAttribute('aria-label'))"
    )
    with Browser(width=1280) as one:
        one.open(page)
        assert one.eval(wider) == []
        told = one.text("#summary .note")
        assert told.startswith("in every row: game tic_tac_toe")
        # A name is broken between its parts only, an interval never.
        lines = one.eval(
            "[...document.querySelectorAll('.whole')].filter((s) => "
            "s.getClientRects().length > 1).length"
        )
        assert lines == 0


#: Tables wider than their frame.
WIDER = (
    "[...document.querySelectorAll('.wide-table, .ranking')]"
    ".filter((t) => t.offsetParent && t.scrollWidth > t.clientWidth).length"
)


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    """Twelve models of long names, two of them at two games, and a game of three players."""
    home = tmp_path_factory.mktemp("league")
    for number in range(12):
        model = f"litellm_openrouter/some-laboratory/model-{number}-of-a-long-name-instruct"
        players = {"player_0": Player(model, fail=number / 24), "player_1": Player()}
        for game in ("tic_tac_toe", "kuhn_poker")[number > 1 :]:
            make_run(home / f"a-long-name-of-a-run-{number}-{game}", players, game=game, episodes=4)
    three = {f"player_{i}": Player(f"vllm_of-three-{i}") for i in range(3)}
    game = "kuhn_poker(players=3)"
    make_run(home / "three", three, game=game, episodes=6, seats=3)
    comparison = Comparison(load_runs(home, moves=True, notice=lambda _: None))
    write_report(comparison, home / "report.html", title="A league")
    return comparison, home / "report.html"


@needs_browser
def test_the_answer_stands_first_on_the_page(league: tuple[Comparison, Path]) -> None:
    comparison, page = league
    with Browser(width=1280) as one:
        one.open(page)
        sentences = one.eval(
            "[...document.querySelectorAll('#summary .verdict h2')].map((h) => h.textContent)"
        )
        assert sentences == [section.sentence for section in comparison.sections]
        first = comparison.sections[0]
        shown = one.eval(
            "[...document.querySelectorAll('#summary .verdict:first-child tbody tr')].map((r) =>"
            "[...r.cells].map((c) => c.textContent))"
        )
        assert shown == [list(row) for row in (*first.rows, *first.marked)]
        assert one.eval("document.querySelectorAll('.verdict tr.reference').length") == len(
            [row for section in comparison.sections for row in section.marked]
        )
        tops = one.eval(
            "['.verdict', '.contents', '.wide-table'].map((s) =>"
            "document.querySelector('#summary ' + s).getBoundingClientRect().top)"
        )
        assert tops == sorted(tops)


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_no_column_is_hidden_and_no_word_is_broken(
    league: tuple[Comparison, Path], width: int
) -> None:
    with Browser(width=width) as one:
        for part in ("", "#episodes-top"):
            one.open(league[1], part)
            assert one.eval("document.documentElement.scrollWidth <= innerWidth"), part
            if width == 1280:
                assert one.eval(WIDER) == 0, part
            # Text nodes end at marks or spaces: one that takes two lines has a space within it.
            broken = one.eval(
                "(() => { const found = []; const walk = document.createTreeWalker("
                "document.querySelector('main'), NodeFilter.SHOW_TEXT); let node;"
                "while ((node = walk.nextNode())) { const text = node.textContent.trim();"
                "if (!node.parentElement.closest('table') || /[\\s-]/.test(text)) continue;"
                "const range = document.createRange(); range.selectNodeContents(node);"
                "if (new Set([...range.getClientRects()].map((r) => r.top)).size > 1)"
                "found.push(text); } return found; })()"
            )
            assert broken == [], part


@needs_browser
def test_tables_are_reached_by_keys_and_players_are_known_by_model(
    league: tuple[Comparison, Path],
) -> None:
    with Browser(width=1280) as one:
        one.open(league[1])
        one.eval("document.querySelector('.contents a[href=\"#table-pairs\"]').focus()")
        one.press("Enter")
        one.wait(
            "Math.abs(document.getElementById('table-pairs').getBoundingClientRect().top) < 99"
        )
        one.open(league[1], "#episodes-top")
        one.eval("document.getElementById('f-game').value = index.games.length - 1; filtered()")
        results = one.eval("view.rows.map(outcomeText)")
        assert results
        assert all("player_" not in text for text in results)
        assert any("of-three-" in text for text in results)
        assert one.faults == []


@needs_browser
def test_judged_moves_are_marked_and_filtered(browser: Browser, tmp_path: Path) -> None:
    home = tmp_path / "run"
    words = ("simulation=tic_tac_toe", "episodes=30", "assess=true", f"hydra.run.dir={home}")
    assert run_command(list(words)) == 0
    loaded = load_runs(home, moves=True)
    output = tmp_path / "report.html"
    write_report(Comparison(loaded), output, title="judged")
    decisions = [json.loads(line) for line in (home / "decisions.jsonl").read_text().splitlines()]
    blunder = next(d for d in decisions if d["regret"] > 0)  # 1 or 2 of a range of 2
    browser.open(output, f"#/0/{blunder['episode']}/{blunder['turn'] + 1}")
    browser.wait("document.querySelector('.judgement')")
    assert browser.text(".judgement .chip") == "blunder"
    assert browser.text("#moves button[aria-current]") == f"{blunder['action_text']}??"
    assert browser.text(".judgement code") == ", ".join(blunder["best_text"])
    filled = 100 * (blunder["value_played"] + 1) / 2
    style = browser.eval("document.querySelector('.value-bar .filled').getAttribute('style')")
    assert style == f"width:{filled:g}%"
    best = 100 * (blunder["value_best"] + 1) / 2
    style = browser.eval("document.querySelector('.value-bar .best').getAttribute('style')")
    assert style == f"left:{best:g}%"

    browser.open(output, "#episodes-top")
    worst: dict[int, bool] = {}
    for decision in decisions:
        worst[decision["episode"]] = worst.get(decision["episode"], False) or (
            decision["regret"] > 0
        )
    for value, expected in (("4", sum(worst.values())), ("0", 30 - sum(worst.values()))):
        browser.eval(
            f"document.getElementById('f-judged').value = '{value}';"
            "document.getElementById('f-judged').dispatchEvent(new Event('change'))"
        )
        assert browser.text("#count").startswith(f"{expected} of 30 episodes")
    assert browser.faults == []


@needs_browser
def test_a_page_without_judgements_offers_no_filter_for_them(page: Path, browser: Browser) -> None:
    browser.open(page, "#episodes-top")
    assert browser.eval("document.getElementById('f-judged').parentElement.hidden")
