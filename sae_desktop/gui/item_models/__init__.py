"""Item models over numpy columns."""
