"""Ways to reach language models."""
