"""Measurements, printed as ratios: `make bench`, or `python -m benchmarks steps growth …`.

Times on a shared machine mean little, so candidates run in one process, in turns and several times, and the
median counts. Nothing here is a test: a slow machine is not a broken program.
"""
