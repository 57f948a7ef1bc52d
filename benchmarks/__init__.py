"""Benchmarks: speed, memory and quality beside named peers, measured in the same run."""
