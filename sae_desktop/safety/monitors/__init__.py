"""Monitors: what is watched, a threshold with a promise, and where it fires."""
