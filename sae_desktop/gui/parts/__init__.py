"""Widgets and helpers that know no workspace."""
