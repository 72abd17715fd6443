"""Parts of the vLLM backend."""
