"""The window around the workspaces: rail, palette, banner, status bar."""
