"""Dictionaries in other libraries' formats: found by content, read into a `Dictionary`, written.

Each format has a module with `find`, and `write` where this project writes it.
"""
