"""The model that a choice names, ready to be asked."""

from __future__ import annotations

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.labels.chat import ChatModel
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.keys import key_for
from sae_desktop.labels.models.server import ServerModel


def open_chat_model(choice: ModelChoice, context: JobContext | None = None) -> ChatModel:
    """Return the model; to be closed. Nothing is asked of a server yet.

    Raises UserError for a choice without a model, an address that is none, a server beyond this
    machine while the network is off, and a model that cannot be loaded.
    """
    if not choice.model.strip():
        raise UserError(
            "No model is chosen.", next_step="Choose one that the server lists, or one of yours."
        )
    if choice.local:
        from sae_desktop.labels.models.local import LocalModel

        return LocalModel.load(choice.model, choice.device, choice.seconds, context)
    return open_server(choice)


def open_server(choice: ModelChoice) -> ServerModel:
    """Return the server of a choice, whose models can be listed."""
    address = server_address(choice.server)
    return ServerModel(address, choice.model, key_for(address), seconds=choice.seconds)
