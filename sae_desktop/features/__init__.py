"""Features: the index of a dictionary over a corpus, its reader, and the probe."""
