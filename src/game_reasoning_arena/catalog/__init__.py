"""Which models and providers there are: entries, the files that list them, sampling."""
