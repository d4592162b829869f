"""Benchmarks: how good dictionaries are, beside controls and beside what others have published."""
