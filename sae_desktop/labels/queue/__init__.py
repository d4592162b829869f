"""Many requests to a model: each made once, kept, paced, paid for within a cap."""
