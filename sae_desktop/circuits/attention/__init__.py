"""Attention inside a graph: which heads carry a link, and why a head looks where it looks."""
