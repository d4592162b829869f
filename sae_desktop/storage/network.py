"""Whether anything may leave this machine. Free of torch and Qt."""

from __future__ import annotations

import os

from sae_desktop.storage.own_settings import kept_setting

SETTING = "network_off"
"""The field of the window's settings that holds for every process of this user."""


def hub_switched_off() -> bool:
    """Whether the environment asks that the hub be left alone, which its libraries obey too."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def network_off() -> bool:
    """Whether the person switched the network off in the settings."""
    return kept_setting(SETTING) is True


def why_offline() -> str:
    """Return in words why the hub may not be asked; "" where it may."""
    if network_off():
        return "the network is off in the settings"
    return "HF_HUB_OFFLINE is set" if hub_switched_off() else ""


def way_online() -> str:
    """Return in words what to do where the network is wanted."""
    if network_off():
        return "Allow it under Engine › Network"
    return "Connect to the network and try again"
