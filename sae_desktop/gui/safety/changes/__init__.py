"""What changed between checkpoints of a model: comparisons and watches, beside their forms."""
