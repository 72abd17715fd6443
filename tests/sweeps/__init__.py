"""Sweeps in this process, with real runs, a real server and real signals."""
