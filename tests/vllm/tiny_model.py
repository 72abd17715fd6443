"""Make a tiny random Llama with its own tokenizer: a real model for a real engine, from nothing.

    python tests/vllm/tiny_model.py DIRECTORY [--context TOKENS]

Its answers are noise, which is the point: what a constraint, a seed or a template does to it can
only come from the engine. The tokenizer is a byte-level BPE without merges, so one token is one
byte and prompt lengths can be counted by hand; for shapes of real size it learns its words from
texts, so that prompts have about as many tokens as with a real one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")

#: The number of "<|end|>", by which an answer ends: the first after 256 bytes.
STOP = 256


def make(
    directory: Path,
    *,
    context: int = 2048,
    seed: int = 0,
    template: bool = True,
    added: Sequence[str] = (),
    shape: Mapping[str, Any] | None = None,
    texts: Sequence[str] = (),
    weights: bool = True,
) -> Path:
    """Write weights (2 layers, hidden 256, 1.4 million parameters), config and tokenizer.

    Args:
        directory: where; made if it is not there.
        context: positions the model knows, in tokens.
        seed: of the random weights.
        template: False leaves the chat template out, as in a base model.
        added: texts that are one token each, numbered after those of the template.
        shape: other sizes, by the names of transformers' LlamaConfig; a larger ``vocab_size`` is
            filled with what ``texts`` teach, and then with made-up words.
        texts: to learn words from; none for one token a byte.
        weights: False leaves them out, for engines that make up their own (load_format=dummy).
    """
    import torch
    from tokenizers import AddedToken
    from transformers import LlamaConfig, LlamaForCausalLM

    directory.mkdir(parents=True, exist_ok=True)
    marks = len(SPECIAL) + len(added)
    tokenizer = _tokenizer((shape or {}).get("vocab_size", 256 + marks) - marks, texts)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.add_tokens([AddedToken(token, special=False) for token in added])
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|end|>",
        "pad_token": "<|end|>",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    if template:
        settings["chat_template"] = CHAT_TEMPLATE
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))

    torch.manual_seed(seed)
    end = tokenizer.token_to_id("<|end|>")
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": context,
        "tie_word_embeddings": True,
        **(shape or {}),
    }
    config = LlamaConfig(
        **sizes,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    if weights:
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    else:
        config.save_pretrained(directory)
    return directory


def _tokenizer(size: int, texts: Sequence[str]) -> Any:
    """A byte-level BPE of ``size`` tokens: bytes, then words of the texts, then made-up words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, merges=[]))
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=bool(texts))
    tokenizer.pre_tokenizer = words
    if texts:
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=letters, show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    known: dict[str, int] = learnt["vocab"]
    for number in range(len(known), size):  # no merge leads to them, but they can be answered
        known[f"word{number}"] = number
    made = Tokenizer(models.BPE(known, merges=[tuple(pair) for pair in learnt["merges"]]))
    made.pre_tokenizer = words
    made.decoder = decoders.ByteLevel()
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--context", type=int, default=2048)
    given = parser.parse_args()
    print(make(given.directory, context=given.context))
