"""Prints how many contract vectors this runner runs, and nothing else."""

from vectors import load

print(len(load()))
