"""A graph drawn: tokens from left to right, layers upwards, curves between nodes."""
