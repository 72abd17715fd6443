"""This process: paths, environment, secrets, faults, event loop, profiling."""
