"""`arena --help`: a short text, then the groups from which a run is composed."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence

#: The groups of a run, in the order of ``config.yaml``.
GROUPS = ("agents", "simulation", "model", "backend", "provider", "experiment", "hydra/launcher")

#: The most options shown of one group; `arena models` shows all models.
SHOWN = 24

_USAGE = """\
arena plays language models against each other, random players and solvers, and writes it down.

  arena                                       the embedded default: no key, no GPU, no network
  arena simulation=kuhn_poker episodes=100    another game, more of it
  arena agents.player_0.model=litellm_openai/gpt-4o-mini
  arena agents=llm_vs_llm agents.player_0.model=vllm_X agents.player_1.model=litellm_openai/gpt-4o
  arena -m agents.player_0.model=a,b sampling.temperature=0,0.7      a sweep
  arena --config FILE [KEY=VALUE ...]         a config.yaml of an earlier run, or plain JSON/YAML
  arena --cfg job [KEY=VALUE ...]             show every setting, run nothing
"""

_FLAGS = """\
--config-dir DIR adds options of your own, and so does conf/ in the working directory.
eval "$(arena --shell-completion install=bash)" completes words; --hydra-help shows the rest.
"""


def help_text(commands: Mapping[str, str], options: Callable[[str], Sequence[str]]) -> str:
    """Return the whole help.

    Args:
        commands: the help line of each command, by name.
        options: returns the options of a group.
    """
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    parts = [_USAGE, "Commands (arena COMMAND --help shows more):"]
    parts += [f"  {name:<11}{what}" for name, what in commands.items()]
    parts += ["", "Configuration groups (GROUP=OPTION):"]
    for group in GROUPS:
        names = list(options(group))
        shown = ", ".join(names[:SHOWN])
        if len(names) > SHOWN:
            more = "; `arena models` lists all" if group == "model" else ""
            shown += f", ... ({len(names)} in all{more})"
        if names:
            parts.append(
                textwrap.fill(
                    f"{group}: {shown}",
                    width,
                    initial_indent="  ",
                    subsequent_indent="    ",
                    break_on_hyphens=False,
                    break_long_words=False,
                )
            )
    return "\n".join([*parts, "", _FLAGS])
