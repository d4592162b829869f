"""The engine: the child process that holds the model and runs every job."""
