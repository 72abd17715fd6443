"""Hydra: the command line, composition errors, value checks, the catalog as options."""
