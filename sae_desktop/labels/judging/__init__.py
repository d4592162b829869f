"""Scores of labels by a language model that judges them."""
