"""The panels of the window, one for each step of the work."""
