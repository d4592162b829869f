"""What installed packages add to the program: plug-ins, found by their entry points.

A package says in its own `pyproject.toml` what it adds, a group for each kind (`kinds.py`):

    [project.entry-points."sae_desktop.architectures"]
    tied = "sae_tied:Tied"

Whoever has a table of built-in things (architectures, readers of texts) asks `loaded` for those
of plug-ins, at the moment it needs them: reading names imports nothing. A plug-in that fails,
whichever way, is left out and told of by `checking.py`, and nothing else stops. Free of torch and
Qt.
"""
