"""What is found wrong with a vLLM entry before an engine starts; needs no vLLM."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.vllm import checks as vllm_checks
from game_reasoning_arena.backends.vllm import devices as vllm_devices
from game_reasoning_arena.backends.vllm.settings import EngineSettings, engine_settings
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.records import Model, Provider

ENGINE_ARGUMENTS = (
    "class EngineArgs:\n"
    "    model: str = ''\n"
    "    tokenizer: str = ''\n"
    "    dtype: str = 'auto'\n"
    "    max_model_len: int = 0\n"
    "    max_num_seqs: int = 1\n"
    "    gpu_memory_utilization: float = 0.9\n"
    "    tensor_parallel_size: int = 1\n"
    "    tokenizer_mode: str = 'auto'\n"
    "    hf_overrides: dict = None\n"
    "    load_format: str = 'auto'\n"
    "    distributed_executor_backend: str = None\n"
    "    generation_config: str = 'auto'\n"
    "    enable_lora: bool = False\n"
    "class AsyncEngineArgs(EngineArgs):\n"
    "    enable_log_requests: bool = False\n"
)
SAMPLING = (
    "class SamplingParams:\n    min_p: float = 0\n    temperature: float = 1\n    _x: int = 0\n"
    "    logit_bias: dict = None\n"
)


@pytest.fixture(autouse=True)
def vllm_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The source of a vLLM that raises when it is imported: checks read it and nothing more."""
    package = tmp_path / "site" / "vllm"
    (package / "engine").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "engine" / "arg_utils.py").write_text(ENGINE_ARGUMENTS)
    (package / "sampling_params.py").write_text(SAMPLING)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(__import__("sys").modules, "vllm", raising=False)
    vllm_checks.vllm_fields.cache_clear()
    yield package
    vllm_checks.vllm_fields.cache_clear()


def weights(data: bytes, *, said: int | None = None) -> bytes:
    """A safetensors file with one tensor of bytes."""
    offsets = [0, len(data) if said is None else said]
    header = json.dumps({"w": {"dtype": "U8", "shape": offsets[1:], "data_offsets": offsets}})
    return len(header).to_bytes(8, "little") + header.encode() + data


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The files of a model, as far as checks look at them."""
    path = tmp_path / "models" / "good"
    path.mkdir(parents=True)
    config = {"max_position_embeddings": 4096, "num_attention_heads": 12}
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(weights(b"1234"))
    (path / "tokenizer.json").write_text("{}")
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return path


def entry(path: Path | str | None, **more: Any) -> Model:
    return Model(
        name="vllm_X",
        backend="vllm",
        model_id="X",
        model_path=None if path is None else str(path),
        **more,
    )


def problems(model: Model, engine: dict[str, Any] | None = None, **named: Any) -> list[str]:
    made = engine_settings(model, named, engine or {})
    return vllm_checks.check_model(model, made, on_cpu=False)


def test_a_good_entry_has_no_problem(directory: Path) -> None:
    assert problems(entry(directory), tensor_parallel_size=3, max_model_len=4096) == []


def test_an_entry_without_a_path() -> None:
    [said] = problems(entry(None))
    assert "vllm_X needs a model_path" in said
    assert "api_base" in said


def test_a_relative_path() -> None:
    [said] = problems(entry("models/good"))
    assert said == "model_path of vllm_X must be an absolute path, not 'models/good'."


def test_a_missing_directory_names_its_neighbour(directory: Path) -> None:
    [said] = problems(entry(directory.parent / "goood" / "deep"))
    assert "there is no directory" in said
    assert "Did you mean 'good'?" in said


def test_what_only_servers_heed_is_refused(directory: Path) -> None:
    [said] = problems(entry(directory), {"generation_config": "auto"})
    assert "generation_config: this has no effect on an engine of our own" in said
    assert problems(entry(directory), {"generation_config": "vllm", "enable_lora": False}) == []


def test_more_tokens_than_a_gpu_takes(directory: Path) -> None:
    """An engine with many entries dies there, and on a CPU it answers."""
    many = entry(directory, extra={"logit_bias": dict.fromkeys(map(str, range(1025)), 1.0)})
    [said] = problems(many)
    assert "logit_bias lists 1025 tokens; vLLM takes up to 1024" in said
    made = engine_settings(many, {}, {})
    assert vllm_checks.check_model(many, made, on_cpu=True) == []


def test_a_gguf_file_needs_a_vllm_that_reads_it(tmp_path: Path, vllm_source: Path) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    [said] = problems(entry(file))
    assert "pip install vllm-gguf-plugin" in said
    reader = vllm_source / "model_executor" / "layers" / "quantization" / "gguf.py"
    reader.parent.mkdir(parents=True)
    reader.touch()
    assert problems(entry(file)) == []


@pytest.mark.parametrize(
    "config",
    [{"architectures": ["DeepseekV32ForCausalLM"]}, {"model_type": "minicpmv4_6"}],
    ids=str,
)
def test_conversations_that_vllm_formats_itself_need_no_template(
    directory: Path, config: dict[str, Any]
) -> None:
    (directory / "tokenizer_config.json").write_text("{}")
    [said] = problems(entry(directory))
    assert "is a base model" in said
    (directory / "config.json").write_text(json.dumps(config))
    assert problems(entry(directory)) == []


def test_no_model(directory: Path) -> None:
    (directory / "config.json").unlink()
    [said] = problems(entry(directory))
    assert "is not a model: it holds no config.json" in said


def test_an_unfinished_download(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    [said] = problems(entry(directory))
    assert "holds no weights" in said
    assert problems(entry(directory), {"load_format": "dummy"}) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"1234567", bytes(64), b"\xff" * 64, weights(b"1234", said=5), weights(b"")[:-1]],
)
def test_weights_that_are_cut_off(directory: Path, content: bytes) -> None:
    (directory / "model.safetensors").write_bytes(content)
    [said] = problems(entry(directory))
    assert said.endswith("model.safetensors is damaged or cut off. Download it again.")


def test_weights_that_are_missing(directory: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "two.safetensors", "c": "three.bin"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    [said] = problems(entry(directory))
    assert "2 of 3 weight files are missing, the first is three.bin" in said


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000], ids=["torn", "list", "deep"])
def test_an_unreadable_config(directory: Path, content: str) -> None:
    (directory / "config.json").write_text(content)
    assert any("config.json cannot be read" in said for said in problems(entry(directory)))


def test_no_tokenizer(directory: Path, tmp_path: Path) -> None:
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer_config.json").unlink()
    [said] = problems(entry(directory))
    assert "there is no tokenizer in" in said
    assert "Set tokenizer_path" in said
    other = entry(directory, tokenizer_path=str(tmp_path / "nowhere"))
    assert problems(other)[0].startswith("tokenizer_path of vllm_X: there is no tokenizer")


def test_a_base_model_needs_a_template(directory: Path, tmp_path: Path) -> None:
    (directory / "tokenizer_config.json").write_text("{}")
    [said] = problems(entry(directory))
    assert "no chat template, and none is guessed" in said
    assert "Set chat_template in the entry" in said
    template = tmp_path / "chat.jinja"
    [said] = problems(entry(directory, chat_template=str(template)))
    assert said == f"chat_template of vllm_X: there is no file {template}."
    template.write_text("{{ messages }}")
    assert problems(entry(directory, chat_template=str(template))) == []
    assert problems(entry(directory, chat_template="{{ messages }}")) == []
    (directory / "chat_template.jinja").write_text("{{ messages }}")
    assert problems(entry(directory)) == []


def test_too_long_a_context_names_its_key(directory: Path) -> None:
    [said] = problems(entry(directory), max_model_len=5000)
    assert said.startswith("backend.vllm.max_model_len=5000 is more than the model's 4096")
    [said] = problems(entry(directory), {"max_model_len": 5000})
    assert said.startswith("backend.vllm.engine.max_model_len=5000")
    [said] = problems(entry(directory, engine={"max_model_len": 5000}), max_model_len=100)
    assert said.startswith("engine of vllm_X: max_model_len=5000")


@pytest.mark.parametrize("rope", [{"rope_type": "yarn", "factor": 4}, {"type": "linear"}])
def test_stretched_positions_are_left_to_vllm(directory: Path, rope: dict[str, Any]) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "rope_scaling": rope}))
    assert problems(entry(directory), max_model_len=5000) == []
    plain = {**config, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
    (directory / "config.json").write_text(json.dumps(plain))
    assert problems(entry(directory), max_model_len=5000) != []


def test_sizes_of_a_model_of_several_modalities(directory: Path) -> None:
    inner = {"max_position_embeddings": 64, "num_attention_heads": 4}
    (directory / "config.json").write_text(json.dumps({"text_config": inner}))
    found = problems(entry(directory), max_model_len=65, tensor_parallel_size=3)
    assert len(found) == 2
    assert "64 positions" in found[0]
    assert "4 attention heads" in found[1]


def test_heads_that_do_not_divide(directory: Path) -> None:
    [said] = problems(entry(directory), tensor_parallel_size=5)
    assert said == (
        "backend.vllm.tensor_parallel_size=5 does not divide the model's 12 attention heads. "
        "Possible: 1, 2, 3, 4, 6, 12."
    )


def test_an_unknown_argument_with_a_near_match(directory: Path) -> None:
    [said] = problems(entry(directory), {"max_num_seq": 3})
    assert said.startswith("backend.vllm.engine.max_num_seq: vLLM has no engine argument")
    assert "Did you mean 'max_num_seqs'" in said
    [said] = problems(entry(directory), {"model": "other"})
    assert said == "backend.vllm.engine.model: set model_path in the model's entry instead."


@pytest.mark.parametrize("value", [0, 1.5, "much"])
def test_a_share_that_is_none(directory: Path, value: Any) -> None:
    [said] = problems(entry(directory), gpu_memory_utilization=value)
    assert said.startswith(f"backend.vllm.gpu_memory_utilization={value!r} must be a share")


@pytest.mark.parametrize("value", [0, "2k", True, 1.5])
def test_sizes_are_whole_numbers(directory: Path, value: Any) -> None:
    found = problems(entry(directory), tensor_parallel_size=value)
    assert any("must be a whole number from 1 on" in said for said in found)


def test_ray_must_be_there(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ray" else find(name)
    )
    [said] = problems(entry(directory, engine={"distributed_executor_backend": "ray"}))
    assert said.startswith("engine of vllm_X: distributed_executor_backend=ray: Ray is not inst")
    assert problems(entry(directory), distributed_executor_backend="mp") == []


def test_vllm_may_find_the_context_itself(directory: Path) -> None:
    assert problems(entry(directory), max_model_len=-1) == []


def test_extra_are_sampling_parameters(directory: Path) -> None:
    assert problems(entry(directory, extra={"min_p": 0.1, "chat_template_kwargs": {}})) == []
    [said] = problems(entry(directory, extra={"min_pp": 0.1}))
    assert "is no sampling parameter of vLLM. Did you mean 'min_p'?" in said
    [said] = problems(entry(directory, extra={"temperature": 1}))
    assert said == "extra of vllm_X: temperature: set it under sampling instead."
    [said] = problems(entry(directory, extra={"seed": 1}))
    assert said == "extra of vllm_X: seed is set by the harness."


def test_vllm_is_not_installed(vllm_source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    [said] = vllm_devices.check_installation([settings("/m")])
    assert "vLLM is not installed" in said
    assert "pip install 'game-reasoning-arena[vllm]'" in said


@pytest.mark.parametrize(
    ("version", "files", "environment", "wrong"),
    [
        ("0.30.0", [], {}, "this machine shows no GPU"),
        ("0.30.0+cu130", [], {}, "this machine shows no GPU"),
        ("0.30.0", ["nvidia0"], {}, None),
        ("0.30.0", ["nvidiactl"], {}, "this machine shows no GPU"),
        ("0.30.0", ["dxg"], {}, None),
        ("0.30.0", ["nvidia0"], {"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES is set to no"),
        ("0.30.0", ["nvidia0"], {"CUDA_VISIBLE_DEVICES": "0"}, None),
        ("0.30.0+cpu", [], {}, None),
        ("0.30.0+rocm7", [], {}, None),
        (None, [], {}, None),
    ],
)
def test_devices(
    tmp_path: Path,
    version: str | None,
    files: list[str],
    environment: dict[str, str],
    wrong: str | None,
) -> None:
    for name in files:
        (tmp_path / name).touch()
    said = vllm_devices.device_problem(version, tmp_path, environment)
    assert said is None if wrong is None else wrong in (said or "")


def settings(path: str, share: float | None = None, **engine: Any) -> EngineSettings:
    if share is not None:
        engine["gpu_memory_utilization"] = share
    return engine_settings(entry(path, engine=engine), {}, {})


def test_shares_of_two_models_must_fit() -> None:
    two = [settings("/models/a"), settings("/models/b", 0.3)]
    [said] = vllm_devices.check_shares(two, on_cpu=False)
    assert "on GPU 0 whose gpu_memory_utilization adds up to 1.22" in said
    assert "(a 0.92, b 0.3), more than 0.95" in said
    assert "backend.vllm.gpu_memory_utilization=0.45" in said
    assert vllm_devices.check_shares(two, on_cpu=True) == []
    assert vllm_devices.check_shares([settings("/a", 0.5), settings("/b", 0.4)], on_cpu=False) == []
    assert vllm_devices.check_shares(two[:1], on_cpu=False) == []


def test_shares_that_leave_no_room_for_anything_else_do_not_fit() -> None:
    """Each needs its share free when it starts, and the first holds more than its own by then."""
    halves = [settings("/models/a", 0.5), settings("/models/b", 0.5)]
    assert len(vllm_devices.check_shares(halves, on_cpu=False)) == 1


def test_only_engines_on_the_same_gpu_share_its_memory() -> None:
    def fits(*engines: EngineSettings) -> bool:
        return vllm_devices.check_shares(engines, on_cpu=False) == []

    assert fits(settings("/a", device_ids=[0]), settings("/b", device_ids=[1]))
    assert fits(settings("/a", device_ids=["GPU-a"]), settings("/b", device_ids=["GPU-b"]))
    assert not fits(settings("/a", device_ids=[1]), settings("/b", device_ids=[0, 1]))
    assert not fits(settings("/a", tensor_parallel_size=2), settings("/b", device_ids=[1]))
    assert fits(settings("/a", tensor_parallel_size=2), settings("/b", device_ids=[2]))
    on_ray: dict[str, Any] = {"distributed_executor_backend": "ray"}
    assert fits(settings("/a", **on_ray), settings("/b", **on_ray))


def parts(gpus: int, *, cpu: bool = False, bound: str = "", **engine: Any) -> list[str]:
    environment = {"VLLM_CPU_OMP_THREADS_BIND": bound} if bound else {}
    made = engine_settings(entry("/m", engine=engine), {}, {})
    return vllm_devices.check_parts(made, gpus, environment, on_cpu=cpu)


def test_every_part_of_an_engine_needs_a_device() -> None:
    [said] = parts(2, tensor_parallel_size=2, pipeline_parallel_size=2)
    assert said.startswith("engine of vllm_X: tensor_parallel_size=2, engine of vllm_X: pipeline")
    assert "takes 4 GPUs, and this process sees 2" in said
    assert parts(4, tensor_parallel_size=2, pipeline_parallel_size=2) == []
    for more in ("data_parallel_size", "prefill_context_parallel_size"):
        engine: dict[str, Any] = {more: 2}
        [said] = parts(2, tensor_parallel_size=2, **engine)
        assert "takes 4 GPUs, and this process sees 2" in said
    assert parts(2, data_parallel_size=4, data_parallel_size_local=2) == []
    assert parts(2, data_parallel_size=4, data_parallel_backend="ray") == []
    [said] = parts(4, tensor_parallel_size=2, device_ids=[3])
    assert "takes 2 GPUs, and engine of vllm_X: device_ids names 1" in said
    assert parts(4, tensor_parallel_size=2, device_ids=[2, 3]) == []
    assert parts(0, tensor_parallel_size=2) == []  # devices of another kind
    assert parts(1, tensor_parallel_size=2, distributed_executor_backend="ray") == []
    assert parts(1, tensor_parallel_size=2, nnodes=2) == []
    [said] = parts(0, cpu=True, tensor_parallel_size=2)
    assert "VLLM_CPU_OMP_THREADS_BIND='0|1'" in said
    assert parts(0, cpu=True, bound="0|1", tensor_parallel_size=2) == []
    assert parts(0, cpu=True) == []
    [said] = parts(0, cpu=True, bound="0|1", pipeline_parallel_size=2, enforce_eager=True)
    assert said.endswith("Leave enforce_eager out.")


def test_the_entry_goes_before_the_backend() -> None:
    model = entry("/m", engine={"dtype": "float32"})
    made = engine_settings(model, {"dtype": "auto", "max_model_len": 9}, {"dtype": "half", "n": 1})
    assert made.arguments == {"dtype": "float32", "max_model_len": 9, "n": 1}
    assert made.tokenizer_path == "/m"


def test_equal_settings_share_an_engine_however_they_are_written() -> None:
    one = engine_settings(entry("/m", engine={"a": 1, "dtype": "half"}), {}, {})
    two = engine_settings(entry("/m", engine={"a": 1}), {"dtype": "half"}, {})
    assert one.key == two.key
    assert one.key != engine_settings(entry("/m", engine={"a": 2}), {"dtype": "half"}, {}).key
    assert one.key != engine_settings(entry("/n", engine={"a": 1}), {"dtype": "half"}, {}).key


def test_the_backend_gathers_all_problems_without_importing_vllm(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_devices, "check_installation", lambda settings: [])
    backend = VLLMBackend(max_model_len=5000, engine={"max_num_seq": 1})
    found = backend.check([entry(directory), entry(directory)])
    assert len(found) == 2  # each problem once, however many models have it
    assert "max_num_seq" in found[0]
    assert "max_model_len" in found[1]


def test_an_entry_with_an_address_needs_no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    server = Provider(name="vllm", api_base="http://127.0.0.1:1/v1")
    served = Model(name="vllm_X", backend="vllm", model_id="X", provider=server)
    assert VLLMBackend().check([served]) == []
    templated = Model(
        name="vllm_X", backend="vllm", model_id="X", provider=server, chat_template="/t.jinja"
    )
    [said] = VLLMBackend().check([templated])
    assert "vllm serve --chat-template" in said
