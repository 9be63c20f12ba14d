"""Benchmarks of time and memory against plain torch."""
