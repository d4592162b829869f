"""Which dictionaries a training can start from, and what it takes over. Free of torch and Qt.

The weights themselves are taken over in `starting`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sae_desktop.errors import UserError
from sae_desktop.training.config import EvaluateResult, TrainConfig, TrainResult
from sae_desktop.training.run_folder import DictionarySummary

_ONE_THRESHOLD = ("batchtopk", "matryoshka", "sorted_matryoshka")
_REACHED = 0.15
"""L0 this near to k, as a share of it, is the k that was aimed at."""
_TWICE = "refined_jumprelu"
_KINDS = ("standard", "topk", "jumprelu", "gated", _TWICE)
"""As which a dictionary that can be trained on is saved, but for what is behind that."""


def kind_and_target(parent: DictionarySummary) -> tuple[str, str]:
    """Return as what a dictionary is saved, and a run's target for it; ("", "") for none."""
    kind, target = parent.saved_as, "input"
    if kind in ("transcoder", "skip_transcoder"):
        return "standard", kind
    for suffix in ("skip_transcoder", "transcoder"):
        if kind.endswith(f"_{suffix}"):
            kind, target = kind.removesuffix(f"_{suffix}"), suffix
            break
    return (kind, target) if kind in _KINDS else ("", "")


def architectures_from(parent: DictionarySummary) -> tuple[str, ...]:
    """Return the architectures that a dictionary can be trained on as, the usual one first.

    Each can hold its weights and thresholds exactly; empty where none can.
    """
    kind, _ = kind_and_target(parent)
    if not kind or parent.row_norm not in ("", "none"):
        return ()
    if parent.architecture in _ONE_THRESHOLD:
        return (parent.architecture,)
    if parent.lista_step:
        return ("batchtopk",)
    if kind not in ("jumprelu", _TWICE):
        return (kind,)
    if parent.architecture == "gated":
        return ("gated", "jumprelu")
    return ("jumprelu", "batchtopk", "gated")


def why_not(parent: DictionarySummary) -> str:
    """Return why no training can start from a dictionary, as a sentence; empty where one can."""
    name = f"“{parent.name}”"
    if architectures_from(parent):
        return ""
    if parent.row_norm not in ("", "none"):
        return f"{name} normalises each row before it reads it, which no training here does."
    if "cross" in parent.saved_as:
        return f"{name} reads or writes several sites, from which no training can start yet."
    return f"{name} is of the kind “{parent.saved_as}”, which cannot be trained here."


def taken_over(parent: DictionarySummary) -> dict[str, Any]:
    """Return the settings that a run takes over from a dictionary, by field of TrainConfig.

    `k` is how many features it keeps active, as far as that is known.
    """
    found: dict[str, Any] = {
        "target": kind_and_target(parent)[1],
        "architecture": architectures_from(parent)[0],
        "features": parent.features,
        "lista_step": parent.lista_step,
    }
    if parent.reads_twice:
        found["leave_one_out"] = parent.leave_one_out
    k = known_k(parent)
    if k is not None:
        found["k"] = k
    train = parent.train
    if train is not None and train.sparsity is not None:
        found["sparsity"] = train.sparsity
    return found


def known_k(parent: DictionarySummary) -> int | None:
    """Return how many features a dictionary keeps active on a row; None where it is not known."""
    if parent.k is not None:
        return parent.k
    train, measured = parent.train, parent.evaluation or parent.result
    if train is not None and (parent.architecture in _ONE_THRESHOLD or _led_to(train, measured)):
        return train.k
    if measured is not None and measured.l0 >= 1:
        return round(measured.l0)
    return None


def _led_to(train: TrainConfig, measured: TrainResult | EvaluateResult | None) -> bool:
    """Return whether a run came to its k; leaving one out takes some of those away afterwards."""
    if measured is None:
        return False
    if train.leave_one_out and train.sparsity is None and measured.l0 < train.k:
        return True
    return abs(measured.l0 / train.k - 1) < _REACHED


def start_problems(config: TrainConfig, parent: DictionarySummary) -> dict[str, str]:
    """Return field → why a run cannot start from a dictionary with these settings."""
    no = why_not(parent)
    if no:
        return {"start_from": f"{no} Choose another, or train from scratch."}
    can = architectures_from(parent)
    if config.architecture not in can:
        return {
            "architecture": f"“{parent.name}” can be trained further as {_either(can)}: choose "
            f"{'that' if len(can) == 1 else 'one of these'}, or start from scratch."
        }
    if config.target != kind_and_target(parent)[1]:
        return {
            "target": f"“{parent.name}” is a dictionary of another target: choose "
            f"“{kind_and_target(parent)[1]}”, or start from scratch."
        }
    for field, has in (
        ("features", f"{parent.features:,} features"),
        ("lista_step", f"a LISTA step of {parent.lista_step:g}"),
    ):
        kept = getattr(parent, field)
        if getattr(config, field) != kept:
            return {
                field: f"“{parent.name}” has {has}, which a run that starts from it keeps: choose "
                f"{kept:,}."
            }
    return {}


def width_problem(parent: DictionarySummary, width: int, out_width: int) -> str:
    """Return why rows of these widths do not fit a dictionary; empty where they do."""
    if parent.width != width:
        return (
            f"“{parent.name}” reads rows of width {parent.width:,}, but those of this run have "
            f"width {width:,}."
        )
    if parent.out_width != out_width:
        return (
            f"“{parent.name}” writes rows of width {parent.out_width:,}, but those of this run "
            f"have width {out_width:,}."
        )
    return ""


def require_start(config: TrainConfig, parent: DictionarySummary) -> None:
    """Raise UserError where a run cannot start from a dictionary with these settings."""
    for field, why in start_problems(config, parent).items():
        raise UserError(
            f"The training cannot start from “{parent.name}” with {field} = "
            f"{getattr(config, field)}.",
            kept="Nothing was changed.",
            next_step=why,
        )


def _either(names: Collection[str]) -> str:
    return " or ".join(f"“{name}”" for name in names)
