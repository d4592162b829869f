"""Search by meaning: a sentence encoder over labels and contexts."""
