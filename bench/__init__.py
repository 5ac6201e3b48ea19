"""Benchmarks: speed and memory of the connector, each figure from a process of its own. `make bench` runs them all."""
