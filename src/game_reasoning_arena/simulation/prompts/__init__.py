"""Prompts without a game, and their right answers where these are known."""
