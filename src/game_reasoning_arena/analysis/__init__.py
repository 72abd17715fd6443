"""Comparing recorded runs."""
