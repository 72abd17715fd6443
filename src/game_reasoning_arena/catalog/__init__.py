"""Models and providers: entries, the files that list them, sampling."""
