"""Training: the loop, its schedules, metrics and checkpoints."""
