"""What is said of a model that is not on this machine. Free of Qt."""

from __future__ import annotations

from sae_desktop.engine.protocol import JobProgress
from sae_desktop.language_model.names import KNOWN
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.job_text import progress_text


def lacking_text(title: str) -> str:
    """Return what can be done without the model, and what cannot."""
    return (
        f"{title}, whose features these are, is not on this machine yet. They can be read without "
        "it; to try your own texts and to steer, it has to be here."
    )


def getting_text(title: str, progress: JobProgress | None) -> str:
    """Return how far it has come."""
    far = progress_text("running", progress) if progress is not None else ""
    return f"{title} is being fetched. Meanwhile its features can be read. {far}".strip()


def not_got_text(title: str, what: str, next_step: str) -> str:
    """Return why it did not come."""
    return f"{title} could not be fetched. {what} {next_step}".strip()


def size_text(name: str) -> str:
    """Return what has to be downloaded of a known model, at most: the hub has it unquantised."""
    return f"up to {format_bytes(max(KNOWN[name].hub_bytes, KNOWN[name].package_bytes))}"
