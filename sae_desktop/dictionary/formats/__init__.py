"""Dictionaries as other libraries keep them: found by content, read into a `Dictionary`, written.

Each format has a module with `find`, and `write` where this project writes it.
"""
