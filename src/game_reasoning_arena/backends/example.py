"""One question to several backends: `python -m game_reasoning_arena.backends.example [MODEL ...]`.

Without names it asks two scripted stand-ins, which need no key, and one model of every well-known
provider whose key is set; local GPU models are asked only by name. Models that were not asked are
listed with the reason.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from game_reasoning_arena.backends.backend_config import config
from game_reasoning_arena.backends.llm_registry import (
    detect_model_backend,
    generate_response,
    initialize_llm_registry,
    list_models,
)
from game_reasoning_arena.errors import BackendError, UserError

PROMPT = """You play tic-tac-toe as o. The board:
x..
.o.
..x
Legal moves:
- o(0,1)
- o(0,2)
- o(1,0)
- o(1,2)
- o(2,0)
- o(2,1)
Think, then end with one line: Final Answer: <move>"""

#: Models asked by default; API models only if their key is set.
MODELS = (
    "scripted_first",
    "scripted_random",
    "litellm_openai/gpt-4o-mini",
    "litellm_anthropic/claude-haiku-4-5",
    "litellm_gemini/gemini-2.5-flash-lite",
    "litellm_groq/openai/gpt-oss-20b",
    "litellm_mistral/mistral-small-latest",
)


def main(names: Sequence[str] = ()) -> int:
    """Ask and print each answer; return 1 if a model gave none."""
    initialize_llm_registry()
    local = list_models(backend="vllm")
    asked: list[str] = []
    without_key: list[str] = []
    for name in names or MODELS:
        (asked if names or not _missing_key(name) else without_key).append(name)
    _print(f"The question, to {len(asked)} models:\n\n{PROMPT}\n")
    failed = 0
    for name in asked:
        _print(f"--- {name}")
        try:
            _print(f"(backend {detect_model_backend(name)})")
            _print(generate_response(name, PROMPT).strip() or "(an empty answer)")
        except (BackendError, UserError) as error:
            failed += 1
            _print(f"no answer: {error}")
    for name in without_key:
        _print(f"--- {name}: not asked; set {_missing_key(name)} in the environment or in .env")
    for name in () if names else local:
        _print(f"--- {name}: not asked; name it to have it asked")
    if not names and not local:
        _print("--- vllm: not asked; no model is listed in conf/catalog/vllm_models.yaml")
    return 1 if failed else 0


def _missing_key(name: str) -> str | None:
    """Return the variable that would have to be set, or None."""
    provider_name = config.catalog.provider_name(name, ("litellm",))
    if provider_name is None or config.get_api_key(provider_name):
        return None
    return config.catalog.provider(provider_name).api_key_env


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
