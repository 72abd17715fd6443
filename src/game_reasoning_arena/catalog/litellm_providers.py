"""LiteLLM's providers and the variables that hold their keys.

Importing LiteLLM takes seconds, so the table is kept here; a test compares it with the installed
LiteLLM. The first variable of a row is the one to name in advice; the others work, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from game_reasoning_arena.records import Provider


def _words(text: str) -> list[str]:
    return text.split()


#: Providers whose key is in ``<NAME>_API_KEY``, with ``-`` written as ``_``.
_REGULAR = _words("""
abliteration ai21 aihubmix aiml amazon_nova anthropic assemblyai azure azure_ai azure_speech baseten
bedrock_mantle black_forest_labs bytez cerebras charity_engine chutes clarifai cloudflare codestral
cognition cohere cometapi compactifai cortecs crusoe darkbloom dashscope databricks deepgram
deepinfra deepseek edenai elevenlabs empiriolabs empower fal_ai featherless_ai galadriel gigachat
gmi gradient_ai groq helicone heroku huggingface hyperbolic inception jina_ai libertai
litellm_proxy llamagate manus maritalk meta minimax mistral modelscope moonshot morph nadir nebius
neosantara nlp_cloud novita nscale nvidia_nim openai openrouter ovhcloud parasail pinstripes poe
predibase prism publicai qwen_ai_platform qwencloud ragflow recraft reka replicate runwayml
sail sambanova sarvam soniox stability strands_decider synthetic tencent topaz typesafe v0
vercel_ai_gateway volcengine voyage wandb watsonx xai xiaomi_mimo zai
""")

#: Providers with variables of other names.
_IRREGULAR: dict[str, tuple[str, ...]] = {
    "ai21_chat": ("AI21_API_KEY",),
    "anthropic_text": ("ANTHROPIC_API_KEY",),
    "apertis": ("STIMA_API_KEY",),
    "azure_text": ("AZURE_API_KEY",),
    "cohere_chat": ("COHERE_API_KEY",),
    "datarobot": ("DATAROBOT_API_TOKEN",),
    "fireworks_ai": ("FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY", "FIREWORKSAI_API_KEY"),
    "friendliai": ("FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "github": ("GITHUB_API_KEY",),
    "lambda_ai": ("LAMBDA_API_KEY",),
    "meta_llama": ("LLAMA_API_KEY",),
    "nano-gpt": ("NANOGPT_API_KEY",),
    "nvidia_riva": ("NVIDIA_RIVA_API_KEY", "NVIDIA_NIM_API_KEY"),
    "perplexity": ("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
    "scaleway": ("SCW_SECRET_KEY",),
    "scx-ai": ("SCX_API_KEY",),
    "tensormesh": ("TENSORMESH_INFERENCE_API_KEY",),
    "text-completion-codestral": ("CODESTRAL_API_KEY",),
    "text-completion-inception": ("INCEPTION_API_KEY",),
    "text-completion-openai": ("OPENAI_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY"),
    "veniceai": ("VENICE_AI_API_KEY",),
    "watsonx_text": ("WATSONX_API_KEY",),
}

#: The user's own servers, accounts with another login (cloud roles, OAuth), and internals.
_WITHOUT_ONE_KEY = _words("""
a2a a2a_agent aiohttp_openai auto_router aws_polly aws_textract bedrock chatgpt cursor custom
custom_openai docker_model_runner dotprompt gdc github_copilot hosted_vllm humanloop infinity
langflow langfuse langgraph lemonade litellm_agent llamafile lm_studio milvus mongodb oci ollama
ollama_chat oobabooga openai_like petals pg_vector reducto s3_vectors sagemaker sagemaker_chat
sagemaker_nova sap snowflake transcribe triton valkey vertex_ai vertex_ai_beta vllm xinference
""")

#: Every provider of LiteLLM and the variables that may hold its key.
KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    **{name: (f"{name.upper()}_API_KEY",) for name in _REGULAR},
    **_IRREGULAR,
    **dict.fromkeys(_WITHOUT_ONE_KEY, ()),
}

#: Addresses at which well-known providers speak the OpenAI protocol, for the direct backend.
OPENAI_PROTOCOL: Mapping[str, str] = {
    "cerebras": "https://api.cerebras.ai/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "deepseek": "https://api.deepseek.com/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "moonshot": "https://api.moonshot.ai/v1",
    "nebius": "https://api.studio.nebius.ai/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "sambanova": "https://api.sambanova.ai/v1",
    "together_ai": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
}


def builtin_providers() -> dict[str, Provider]:
    """Return all providers of LiteLLM by name, each with the first of its key variables that is
    set.
    """
    return {
        name: Provider(name=name, api_key_env=_pick(variables), known_to_litellm=True)
        for name, variables in KEY_VARIABLES.items()
    }


def _pick(variables: tuple[str, ...]) -> str | None:
    is_set = (name for name in variables if os.environ.get(name, "").strip())
    return next(is_set, variables[0] if variables else None)
