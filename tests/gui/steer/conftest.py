"""Tests of the workspace Steer have a session on a project with a small index."""

from index_session import (  # noqa: F401
    _light_theme,
    client,
    empty_session,
    heard,
    index_file,
    session,
)
