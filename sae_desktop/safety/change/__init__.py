"""What changed between checkpoints of one model, and an alarm for the one where it did."""
