"""Circuits: how features make the next token, and how to test it."""
