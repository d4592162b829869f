"""One feature: where it fires, what it does, what lies near it."""
