"""A comparison of checkpoints as a page that needs nothing else: plots, lists and texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sae_desktop.exchange.pages import Curve, curve, number, write_page
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.safety.change.change_file import KINDS, Change

_LISTED, _TOKENS, _PLOTTED, _NEXT = 20, 24, 6, 4
_NOTE = (
    "Every figure stands beside a control: random directions, or what chance alone gives. p values "
    "are corrected for all features that were looked at (Benjamini and Hochberg)."
)


def write_change_page(path: Path, change: Change, told: Sequence[str] = ()) -> None:
    """Write a page of a comparison, sentences on it first. Raises UserError if it cannot."""
    info = change.info
    last = len(info.checkpoints) - 1
    first_title, last_title = info.checkpoints[0].title, info.checkpoints[last].title
    write_page(
        path,
        "change.html",
        title=f"What changed: {info.name}",
        about=f"{len(info.checkpoints)} checkpoints, {info.texts} texts of {info.context_size} "
        f"tokens, read at {info.site}. {_NOTE}",
        told=told,
        warnings=info.warnings,
        plots=_plots(change),
        checkpoints=_checkpoints(change),
        features=_features(change, last),
        feature_plots=_feature_plots(change, last),
        contexts=_contexts(change),
        tokens=_tokens(change),
        traits=_traits(change),
        crosscoder=_crosscoder(change),
        kinds=_kinds(change),
        answers=_answers(change),
        steered=_steered(change),
        between=f"“{last_title}” beside “{first_title}”",
    )  # fmt: skip


def _series(title: str, values: Sequence[float | None]) -> tuple[str, Curve | None]:
    y = np.array([np.nan if value is None else value for value in values], np.float64)
    return title, curve(np.arange(len(y), dtype=np.float64), y, "checkpoint")


def _plots(change: Change) -> list[tuple[str, Curve | None]]:
    told = change.info.checkpoints
    plots = [
        _series("Loss, nats per token", [one.loss for one in told]),
        _series("KL since the checkpoint before", [None, *(one.kl for one in told[1:])]),
        _series("Difference at the first tokens, typical norms", [o.difference for o in told]),
    ]
    if any(one.fvu is not None for one in told):
        plots.append(_series("FVU of the dictionary", [one.fvu for one in told]))
        plots.append(_series("Features that changed", [one.changed_features for one in told]))
        plots.append(_series("Random directions that changed", [o.changed_random for o in told]))
    traits = change.info.traits
    for place, trait in enumerate(traits[0] if traits else []):
        name = trait.trait
        plots += [
            _series(f"“{name}”: direction turned, degrees", [t[place].angle for t in traits]),
            _series(f"“{name}”: probe turned, degrees", [t[place].probe_angle for t in traits]),
            _series(f"“{name}”: ordinary text moved", [t[place].projection for t in traits]),
        ]
    return plots


def _checkpoints(change: Change) -> list[list[str]]:
    rows = []
    for place, one in enumerate(change.info.checkpoints):
        figures: tuple[float | None, ...] = (one.loss, one.kl, one.difference, one.difference_p)
        figures += (one.fvu, one.random_fvu, one.spliced_loss)
        if one.fvu is not None:
            figures += (one.changed_features, one.changed_random)
        shown = ["–" if value is None else number(value) for value in figures]
        rows.append([f"{place}  {one.title}", *shown])
    return rows


def _features(change: Change, checkpoint: int) -> list[list[str]]:
    if "features/size" not in change.arrays:
        return []
    arrays = change.arrays
    rows = []
    for feature in change.ranked_features(checkpoint)[:_LISTED].tolist():
        figures = [
            float(arrays["features/size"][checkpoint, feature]),
            float(arrays["features/q"][checkpoint, feature]),
            float(arrays["features/mean"][0, feature]),
            float(arrays["features/mean"][checkpoint, feature]),
            float(arrays["features/density"][0, feature]),
            float(arrays["features/density"][checkpoint, feature]),
            float(arrays["features/effect"][checkpoint, feature]),
            float(arrays["features/cosine"][checkpoint, feature]),
        ]
        rows.append([f"#{feature}", *(number(value) for value in figures)])
    return rows


def _feature_plots(change: Change, checkpoint: int) -> list[tuple[str, Curve | None]]:
    if "features/size" not in change.arrays:
        return []
    ranked = change.ranked_features(checkpoint)[:_PLOTTED].tolist()
    mean = change.arrays["features/mean"]
    return [
        _series(f"#{feature}: mean activation", mean[:, feature].tolist()) for feature in ranked
    ]


def _contexts(change: Change) -> list[dict[str, Any]]:
    found = []
    for context in change.info.contexts:
        most = max(context.activations, default=0.0) or 1.0
        tokens = [
            {"text": text, "share": f"{0.7 * max(value, 0.0) / most:.2f}"}
            for text, value in zip(context.tokens, context.activations, strict=True)
        ]
        title = change.info.checkpoints[context.checkpoint].title
        found.append({"name": f"#{context.feature} on “{title}”", "tokens": tokens})
    return found


def _tokens(change: Change) -> list[list[str]]:
    info = change.info
    return [
        [
            one.title,
            "  ".join(visible_token(t.token) for t in lens[:_TOKENS]),
            "  ".join(visible_token(t.token) for t in shift[:_TOKENS]),
        ]
        for one, lens, shift in zip(
            info.checkpoints[1:], info.lens_tokens[1:], info.shift_tokens[1:], strict=True
        )
    ]


def _traits(change: Change) -> list[list[str]]:
    rows = []
    for one, traits in zip(change.info.checkpoints, change.info.traits, strict=False):
        for t in traits:
            rows.append(
                [
                    f"{one.title} · {t.trait}", f"{t.angle:.0f}°", f"{t.angle_by_chance:.0f}°",
                    number(t.projection), number(t.projection_random), number(t.projection_p),
                    number(t.auroc_first), number(t.auroc_own), f"{t.probe_angle:.0f}°",
                    number(t.probe_auroc_first), number(t.probe_auroc_own),
                ]
            )  # fmt: skip
    return rows


def _crosscoder(change: Change) -> list[list[str]]:
    arrays = change.arrays
    if "crosscoder/kind" not in arrays:
        return []
    rows = []
    for kind in ("exclusive", "rotated", "doubtful", "partial"):
        for feature in change.crosscoder_features(kind)[:_LISTED].tolist():
            several = [
                " ".join(f"{value:.2f}" for value in arrays[f"crosscoder/{name}"][feature])
                for name in ("norm", "scaling", "depends")
            ]
            single = [
                number(float(arrays[f"crosscoder/{name}"][feature]))
                for name in ("cosine", "density", "stable")
            ]
            life = [str(int(arrays[f"crosscoder/{name}"][feature])) for name in ("birth", "death")]
            rows.append([f"{kind} {feature}", *several, *single, *life])
    return rows


def _kinds(change: Change) -> str:
    if "crosscoder/kind" not in change.arrays:
        return ""
    counts = np.bincount(change.arrays["crosscoder/kind"], minlength=len(KINDS)).tolist()
    return ", ".join(f"{count:,} {kind}" for kind, count in zip(KINDS, counts, strict=True))


def _answers(change: Change) -> list[dict[str, Any]]:
    info = change.info
    found = []
    for place, prompt in enumerate(info.prompts if info.answers else []):
        models = []
        for one, answers in zip(info.checkpoints, info.answers, strict=True):
            answer = answers[place]
            following = "  ".join(
                f"{visible_token(token.token)} {token.score:.1%}"
                for token in answer.next_tokens[:_NEXT]
            )
            models.append({"title": one.title, "written": answer.written, "following": following})
        found.append({"prompt": prompt, "models": models})
    return found


def _steered(change: Change) -> list[dict[str, str]]:
    steered = change.info.steered
    if steered is None:
        return []
    rows = zip(steered.prompts, steered.plain, steered.steered, steered.random, strict=True)
    return [
        {"prompt": prompt, "plain": plain, "steered": changed, "random": drawn}
        for prompt, plain, changed, drawn in rows
    ]
