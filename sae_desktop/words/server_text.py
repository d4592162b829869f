"""What is said of servers and models that answer, for the window and the command line."""

from __future__ import annotations

from sae_desktop.labels.models.config import CheckServerResult, FindServersResult
from sae_desktop.labels.models.keys import place_in_words
from sae_desktop.words.amounts import exact_count, figure_text

NONE_FOUND = (
    "No server answers on this machine. Start one, such as Ollama, LM Studio or llama.cpp, then "
    "look again; or enter the address of one elsewhere."
)


def checked_text(result: CheckServerResult) -> str:
    """Return what a test of a connection found."""
    count = len(result.models)
    listed = "1 model" if count == 1 else f"{exact_count(count)} models"
    if not result.seconds:
        said = [f"The server answers and lists {listed}. Choose one, then test it."]
    else:
        said = [f"It answered in {figure_text(result.seconds, 1)} s."]
        if not result.answer:
            said = [
                f"It answered in {figure_text(result.seconds, 1)} s, but with nothing beside its "
                "thoughts: allow it more tokens."
            ]
        said += [_abilities(result)] if _abilities(result) else []
    if result.window:
        said.append(f"It reads {exact_count(result.window)} tokens at once.")
    if result.key:
        said.append(place_in_words(result.key))  # type: ignore[arg-type]
    return " ".join(said)


def _abilities(result: CheckServerResult) -> str:
    can = [
        words
        for has, words in (
            (result.thinks, "thinks before it answers"),
            (result.structured, "keeps to the form of an answer"),
            (result.logprobs, "gives log-probabilities"),
        )
        if has
    ]
    return f"It {', '.join(can[:-1])}{' and ' if can[1:] else ''}{can[-1]}." if can else ""


def found_text(result: FindServersResult) -> str:
    """Return which servers there are, one a line."""
    if not result.servers:
        return NONE_FOUND
    return "\n".join(
        f"{server.title} at {server.url}: " + ", ".join(model.name for model in server.models)
        for server in result.servers
    )


def unencrypted_text(host: str) -> str:
    """Return the warning of an address at which others can read along."""
    return (
        f"What is sent to {host}, the key too, is not encrypted: anybody on the way can read it. "
        "Use an address that begins with https where there is one."
    )
