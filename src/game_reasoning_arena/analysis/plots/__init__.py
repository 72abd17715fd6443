"""Plots of results."""

#: Forms of a plot's file.
FORMATS = ("png", "svg", "pdf")
