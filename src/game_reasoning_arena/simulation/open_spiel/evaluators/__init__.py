"""Evaluators: they value every legal move of a recorded position."""
