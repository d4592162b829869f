"""The window's side of the engine: the child process and its jobs as Qt objects."""
