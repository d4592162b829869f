"""The Circuits workspace: how features of one layer make those of the next, up to a token."""
