"""What the workspaces share: the open project, settings, the index, what can be undone."""
