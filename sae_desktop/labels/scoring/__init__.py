"""Scores of labels that need no language model that judges."""
