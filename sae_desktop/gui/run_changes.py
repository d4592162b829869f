"""Settings changed while a run runs, in words. Free of Qt."""

from __future__ import annotations

from sae_desktop.training.run_log import RunChange


def change_text(change: RunChange) -> str:
    """Return what was changed: "lr 5e-05, λ 2"."""
    parts = [
        f"{name} {value:.3g}"
        for name, value in (("lr", change.lr), ("λ", change.sparsity))
        if value is not None
    ]
    return ", ".join(parts)
