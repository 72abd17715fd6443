"""inspect_ai's half of ``bench_inspect``, run by an interpreter that has it; nothing of ours.

PYTHON benchmarks/inspect_side.py URL IN_FLIGHT < PROMPTS     prints samples per second
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.solver import generate


def evaluate(model: Any, prompts: list[str], in_flight: int) -> float:
    """Seconds of one evaluation."""
    task = Task(dataset=MemoryDataset([Sample(input=p) for p in prompts]), solver=generate())
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        (log,) = eval(task, model=model, max_samples=in_flight, display="none", log_dir=folder)
        took = time.perf_counter() - began
        assert log.status == "success", log.error
        assert len(log.samples or ()) == len(prompts)  # read from the folder only now
    return took


def main() -> None:
    url, in_flight = sys.argv[1], int(sys.argv[2])
    config = GenerateConfig(
        max_connections=in_flight, max_retries=0, temperature=0.1, max_tokens=250
    )
    model = get_model("openai/m", base_url=url, api_key="none", config=config, responses_api=False)
    prompts = sys.stdin.read().splitlines()
    evaluate(model, prompts[:8], in_flight)  # imports and first-time work
    print(len(prompts) / evaluate(model, prompts, in_flight))


if __name__ == "__main__":
    main()
