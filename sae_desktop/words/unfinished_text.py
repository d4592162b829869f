"""What is said of an index that can be read and is not finished. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.words.amounts import exact_count

MAP_TO_COME = "The map comes when this index is finished."
FINISH = "Finish the index"


def rows_so_far(rows: int, whole: int) -> str:
    """Return 65,536 of 1,000,000 rows."""
    return f"{exact_count(rows)} of {exact_count(whole)} rows"


def unfinished_text(rows: int, whole: int, *, being_made: bool) -> str:
    """Return what an index has that is not finished, and what comes."""
    lacks = "names, neighbours, features that fire together, neurons and the map"
    if being_made:
        return (
            f"These are the first features, read from {rows_so_far(rows, whole)}. The rest is "
            f"being read now; the figures then become those of all rows, and {lacks} are added."
        )
    return (
        f"This index is not finished: it holds {rows_so_far(rows, whole)} and lacks {lacks}. What "
        "was read is kept."
    )
