"""Estimates, intervals, tests and ratings from recorded runs."""
