"""Sweeps on real clusters: SLURM's daemons and Ray on the loopback interface.

Run by `make test-cluster`; collected by nothing else (see conftest.py).
"""
