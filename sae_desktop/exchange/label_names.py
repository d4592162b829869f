"""What the columns of a table of labels are called. Needs nothing: the window asks early."""

LABEL_NAMES = ("label", "description", "explanation", "name")
"""Of the column of labels; the first that there is."""
BESIDE_LABELS = (
    "score", "starred", "note", "method", "author", "made", "score_low", "score_high", "measure",
    "state", "rating", "shown", "tags",
)  # fmt: skip
"""Of the other columns that are read."""
