"""What the program keeps outside of projects: where, how much, and what may be cleared."""
