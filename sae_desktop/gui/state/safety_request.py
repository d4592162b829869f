"""What another workspace wants to see in Safety. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SafetyRequest:
    """A scan, a concept set, or the form of a scan for one."""

    what: str
    """scan, concept_set or scan_for"""
    name: str
    """Of the scan, or of the set."""
