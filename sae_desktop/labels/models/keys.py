"""Keys of servers: in the system's keyring, or in memory for this sitting; nowhere else.

No key is in a config, a record, a log or an error. They are kept by the address they are for, so
that none is sent to another server.
"""

from __future__ import annotations

import os
import threading
from typing import Literal
from urllib.parse import urlsplit

from sae_desktop.errors import UserError
from sae_desktop.labels.models.address import Address

SERVICE = "SAE Desktop"
VARIABLE = "SAE_DESKTOP_KEY"
"""A key in the environment, for the server a command names."""
_OPENAI = "api.openai.com"
_LONGEST = 4096
KeyPlace = Literal["", "memory", "environment", "keyring"]

_sitting: dict[str, str] = {}
_lock = threading.Lock()


def keep_key(address: Address, key: str) -> KeyPlace:
    """Keep a key; empty: forget it. Return where it is: the keyring, or memory where there is none.

    Raises UserError for what cannot be a key. May wait for the person to unlock the keyring.
    """
    key = key.strip()
    if len(key) > _LONGEST or not (key.isascii() and (key.isprintable() or not key)):
        raise UserError(
            "What was entered cannot be a key: it has characters that no key has, or too many.",
            kept="It was not kept.",
            next_step="Copy the key again, by itself.",
        )
    with _lock:
        _sitting.pop(address.url, None)
    if not key:
        _forget(address)
        return ""
    if _to_keyring(address, key):
        return "keyring"
    with _lock:
        _sitting[address.url] = key
    return "memory"


def key_for(address: Address) -> str:
    """Return the key of a server; empty where there is none."""
    return _found(address)[0]


def key_place(address: Address) -> KeyPlace:
    """Return where the key of a server is; empty where there is none."""
    return _found(address)[1]


def place_in_words(place: KeyPlace) -> str:
    """Return where a key is, as a sentence for a person."""
    return {
        "": "No key is kept for this server.",
        "keyring": "The key is in the system’s keyring.",
        "environment": "The key is taken from the environment.",
        "memory": "This system has no keyring that could be used, so the key is kept in memory and "
        "forgotten when the program ends.",
    }[place]


def _found(address: Address) -> tuple[str, KeyPlace]:
    with _lock:
        held = _sitting.get(address.url, "")
    if held:
        return held, "memory"
    if found := _from_environment(address):
        return found, "environment"
    found = _from_keyring(address)
    return found, "keyring" if found else ""


def _from_environment(address: Address) -> str:
    if found := os.environ.get(VARIABLE, "").strip():
        return found
    # A key of OpenAI’s is for nobody else.
    official = urlsplit(address.url).scheme == "https" and address.host == _OPENAI
    return os.environ.get("OPENAI_API_KEY", "").strip() if official else ""


def _to_keyring(address: Address, key: str) -> bool:
    try:
        import keyring

        keyring.set_password(SERVICE, address.url, key)
        return keyring.get_password(SERVICE, address.url) == key
    except Exception:  # no keyring, a locked one, a backend that fails in its own way
        return False


def _from_keyring(address: Address) -> str:
    try:
        import keyring

        return keyring.get_password(SERVICE, address.url) or ""
    except Exception:
        return ""


def _forget(address: Address) -> None:
    try:
        import keyring

        keyring.delete_password(SERVICE, address.url)
    except Exception:
        return
