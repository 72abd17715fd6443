"""Faults, limits, crashes, replay, secrets: against a real server, with real kills."""
