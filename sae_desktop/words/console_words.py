"""What is said of the console. Free of Qt and torch."""

from __future__ import annotations

TO_TRY = (
    ("project.indexes", "the names of the indexes"),
    ('index.search("France")[0].top_contexts', "where a feature found by a word fires"),
    ('index.probe("The capital of France is")', "which features fire on a text"),
)
"""Lines for whoever has not used it yet, and what each gives; “index” needs one in the project."""


def bound_text(project: str, index: str) -> str:
    """Return what the names stand for that are there from the beginning; no index: empty."""
    second = f" and “index” its index “{index}”" if index else ""
    return f"“project” is {project}{second}; all of sae_desktop.api is there, too."
