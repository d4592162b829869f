"""Where a dictionary comes from, in words."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.language_model.names import public_name
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_folder import DictionarySummary
from sae_desktop.training.started import StartedFrom


def origin_figure(summary: DictionarySummary) -> tuple[str, str]:
    """Return what a dictionary was made of or brought from, as (how, from what), short.

    ("", "") where that is not known.
    """
    origin = summary.origin
    if origin is not None and origin.kind == "package":
        before = f", before that {origin.before}" if origin.before else ""
        return "From package", f"{origin.source}{before}"
    if origin is not None:
        within = f"/{origin.which}" if origin.which not in ("", ".") else ""
        what = f"{_short(origin.source)}{within}"
        return "Imported from", f"{what} · {origin.format}" if origin.format else what
    if summary.train is None:
        return "", ""
    started = summary.started_from
    if started is not None:
        how, what = "Trained further from", f"“{started.name}”"
        return how, f"{what} on {_trained_on(summary.train)}"
    return "Trained on", _trained_on(summary.train)


def origin_text(summary: DictionarySummary) -> str:
    """Return the same as one phrase, such as “imported from …”."""
    how, what = origin_figure(summary)
    return f"{how[:1].lower()}{how[1:]} {what}".strip()


def parent_text(started: StartedFrom | None) -> str:
    """Return the dictionary that one was trained further from, such as “gpt2-8 (site of model)”.

    Empty where it began at random.
    """
    if started is None:
        return ""
    where = " of ".join(part for part in (started.site, public_name(started.model)) if part)
    about = ", ".join(part for part in (where, started.origin) if part)
    return f"{started.name} ({about})" if about else started.name


def _trained_on(train: TrainConfig) -> str:
    if train.stream is not None:
        return f"text of {_short(train.stream.corpus)}, harvested during training"
    return f"the store {train.activations}"


def _short(source: str) -> str:
    """Return a path's last part; any other name whole."""
    path = Path(source).expanduser()
    return path.name if path.is_absolute() else source
