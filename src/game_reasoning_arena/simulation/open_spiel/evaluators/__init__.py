"""Evaluators: what every legal move of a recorded position is worth."""
