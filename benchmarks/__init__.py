"""Measurements, printed as ratios: `make bench`, or `python -m benchmarks steps growth …`.

Times on a shared machine mean little; what is compared runs in one go, side by side, several times
over, and the median counts. Nothing here is a test: a slow machine is not a broken program.
"""
