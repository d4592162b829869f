"""What a training takes, and whether this machine has it."""
