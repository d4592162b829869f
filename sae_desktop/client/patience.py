"""How long the window waits for the engine, in milliseconds."""

from __future__ import annotations

SHUTDOWN_MS = 8000
"""A little more than the engine gives its jobs to checkpoint."""
TERMINATE_MS = 2000
STARTING_MS = 120_000
"""After which an engine that has said nothing is given up: a cold disk may take a minute."""
DETACH_MS = 10_000
