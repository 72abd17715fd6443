"""The tasks of a run: games of OpenSpiel, or prompts to answer."""
