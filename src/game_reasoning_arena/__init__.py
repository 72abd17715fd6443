"""Game Reasoning Arena: experiments that ask which language model plays and reasons better."""

__version__ = "0.1.0"
