"""Which model answers, as data: what forms, commands and jobs hand on. Never a key. No torch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.labels.models.address import server_address
from sae_desktop.language_model.names import public_name
from sae_desktop.limits import CountOrNone, Positive

MODEL = "Model that answers"
SECONDS = 300.0


class ModelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a server, or one of this machine that the engine runs itself."""

    server: Annotated[
        str,
        said(
            "Server",
            "Address of an OpenAI-compatible server, such as http://localhost:11434/v1; empty: "
            "the engine runs the model itself.",
            MODEL,
        ),
    ] = ""
    model: Annotated[
        str,
        said(
            "Model",
            "Its name on the server; without a server a folder, a .gguf file, or a name such as "
            "smollm2.",
            MODEL,
        ),
    ] = ""
    window: Annotated[
        CountOrNone,
        said(
            "Window",
            "Tokens that the model reads at once, the answer among them; 0: as many as the server "
            "or the model says.",
            MODEL,
        ),
    ] = 0
    seconds: Annotated[
        Positive, said("Seconds for an answer", "How long one answer may take.", MODEL)
    ] = SECONDS
    device: str = "auto"
    """Where the engine runs the model."""

    @property
    def local(self) -> bool:
        """Whether the engine runs it, so that nothing is sent anywhere and nothing costs."""
        return not self.server

    @property
    def here(self) -> bool:
        """Whether all of it stays on this machine."""
        return self.local or server_address(self.server).here

    @property
    def title(self) -> str:
        """As other people may read it, such as in a label's author: no path of this machine."""
        name = self.model
        if self.local or name.startswith(("/", "~", ".")) or "\\" in name:
            name = public_name(name)
        return name if self.local else f"{name} at {server_address(self.server).host}"
