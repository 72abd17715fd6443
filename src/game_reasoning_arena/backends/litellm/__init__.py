"""Parts of the LiteLLM backend."""
