"""Dictionaries in the form of other libraries, and their size."""

from __future__ import annotations

D, F, K = 12, 20, 3
