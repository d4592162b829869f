"""Where a server is, as a person types it, and whether that is this machine. Free of torch."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import ChatError
from sae_desktop.storage.network import network_off

EXAMPLE = "http://localhost:11434/v1"


@dataclass(frozen=True)
class Address:
    """The address of a server that speaks as OpenAI’s does."""

    url: str
    """Without a slash at its end: `http://localhost:8080/v1`."""
    host: str
    here: bool
    """Whether it is this machine, so that nothing leaves it."""

    @property
    def encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.here or self.url.startswith("https:")


def server_address(text: str) -> Address:
    """Read an address; `/v1` is added where it names a server alone.

    Raises UserError for one that is not an address of the web, or that has a key in it: addresses
    are kept in records, keys are not.
    """
    text = text.strip()
    if not text:
        raise _refusal("No address of a server is given.")
    if "://" not in text:
        text = f"{'http' if _is_here(_host(f'http://{text}')) else 'https'}://{text}"
    host = _host(text)
    parts = urlsplit(text)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UserError(
            "The address of the server has more in it than the place: a name, a key or a query.",
            kept="It was not used, and none of it is repeated here.",
            next_step=f"Enter the address alone, such as {EXAMPLE}, and the key in its own field.",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/models")
    return Address(f"{parts.scheme}://{parts.netloc}{path or '/v1'}", host, _is_here(host))


def refuse_offline(address: Address) -> None:
    """Raise ChatError where the network is off and the server is not this machine."""
    if not address.here and network_off():
        raise ChatError(
            "offline",
            f"The network is off in the settings, and the server “{address.host}” is not on this "
            "machine.",
            kept="Nothing was sent.",
            next_step="Choose a server on this machine, or allow it under Engine › Network.",
        )


def _host(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where that is not a number
    except ValueError:
        raise _refusal("The address of the server cannot be read.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in parts.netloc:
        raise _refusal("The address of the server cannot be read.")
    return parts.hostname


def _refusal(what: str) -> UserError:
    return UserError(what, next_step=f"Enter one such as {EXAMPLE}.")


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified
