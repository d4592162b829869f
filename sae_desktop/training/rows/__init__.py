"""Which rows a run trains on, and how they reach it."""
