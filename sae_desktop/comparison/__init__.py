"""Comparing dictionaries: matching their features, and what each has a feature for.

Free of Qt. Torch comes only with the jobs `match` and `completeness`.
"""
