"""Settings changed while a run runs, in words. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sae_desktop.training.run_log import RunChange


def change_text(change: RunChange) -> str:
    """Return what was changed: "lr 5e-05, λ 2"."""
    parts = [
        f"{name} {value:.3g}"
        for name, value in (("lr", change.lr), ("λ", change.sparsity))
        if value is not None
    ]
    return ", ".join(parts)


def merged(changes: Sequence[RunChange]) -> list[RunChange]:
    """Return the changes with those of one step as one; the later value counts."""
    steps: dict[int, RunChange] = {}
    for change in changes:
        said = {
            name: value
            for name, value in (("lr", change.lr), ("sparsity", change.sparsity))
            if value is not None
        }
        before = steps.get(change.step, RunChange(step=change.step, rows=change.rows))
        steps[change.step] = msgspec.structs.replace(before, **said)
    return list(steps.values())
