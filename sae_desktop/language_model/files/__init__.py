"""Where a model’s files lie, how they come here, and whether their code may run."""
