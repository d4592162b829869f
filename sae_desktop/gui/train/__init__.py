"""The workspace Train: runs, sweeps, and how they go."""
