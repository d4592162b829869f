"""What commands on checkpoints say, for a person at a terminal."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sae_desktop.cli.render import number, table
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.safety.change.change_file import KINDS, Change
from sae_desktop.safety.change.config import (
    CheckpointFigures,
    CompareCheckpointsResult,
    WatchResult,
)
from sae_desktop.words.change_ways import summary
from sae_desktop.words.change_words import alert_sentence, monitor_sentence

_FIGURES = (("loss", "loss"), ("KL", "kl"), ("first tokens", "difference"))
_OF_DICTIONARY = (
    ("FVU", "fvu"), ("random FVU", "random_fvu"), ("spliced loss", "spliced_loss"),
    ("changed", "changed_features"), ("changed, random", "changed_random"),
)  # fmt: skip


def checkpoints_table(figures: list[CheckpointFigures]) -> str:
    """Return the figures of each checkpoint, those that were measured."""
    followed = any(one.fvu is not None for one in figures)
    asked = _FIGURES + (_OF_DICTIONARY if followed else ())
    rows = [
        (str(place), one.title, *(number(getattr(one, field)) for _, field in asked))
        for place, one in enumerate(figures)
    ]
    return table(("", "checkpoint", *(title for title, _ in asked)), rows, left={1})


def result_text(result: CompareCheckpointsResult) -> str:
    lines = [f"Read at {result.site}.", checkpoints_table(result.checkpoints)]
    if result.kinds:
        told = ", ".join(f"{count:,} {kind}" for kind, count in result.kinds.items())
        lines.append(f"Features of the crosscoder: {told}.")
    return "\n".join([*lines, *result.warnings])


def list_text(told: dict[str, Any]) -> str:
    if not told["comparisons"] and not told["watches"]:
        return "No comparisons yet. Make one with sae-desktop change run."
    rows = [(c["name"], str(c["checkpoints"]), c["site"]) for c in told["comparisons"]]
    lines = [table(("comparison", "checkpoints", "site"), rows, left={0, 2})]
    if told["watches"]:
        lines.append("Watches: " + ", ".join(told["watches"]))
    return "\n".join(lines)


def told(change: Change, checkpoint: int, top: int) -> dict[str, Any]:
    """Return what there is to say of a checkpoint, as plain data; `top` lines of each list."""
    info = change.info
    found: dict[str, Any] = {
        "name": info.name,
        "site": info.site,
        "summary": summary(change),
        "checkpoint": checkpoint,
        "checkpoints": msgspec.to_builtins(info.checkpoints),
        "lens_tokens": msgspec.to_builtins(info.lens_tokens[checkpoint][:top]),
        "shift_tokens": msgspec.to_builtins(info.shift_tokens[checkpoint][:top]),
        "traits": msgspec.to_builtins(info.traits[checkpoint] if info.traits else []),
        "warnings": info.warnings,
        "steered": msgspec.to_builtins(info.steered),
        "prompts": info.prompts,
        "answers": msgspec.to_builtins(info.answers),
    }
    if "features/size" in change.arrays:
        ranked = change.ranked_features(checkpoint)[:top].tolist()
        found["features"] = [_feature(change, checkpoint, feature) for feature in ranked]
    if "crosscoder/kind" in change.arrays:
        found["crosscoder"] = [
            _crossed(change, feature)
            for kind in ("exclusive", "rotated", "doubtful", "partial")
            for feature in change.crosscoder_features(kind)[:top].tolist()
        ]
        kinds = np.bincount(change.arrays["crosscoder/kind"], minlength=len(KINDS))
        found["kinds"] = dict(zip(KINDS, kinds.tolist(), strict=True))
    return found


def _feature(change: Change, checkpoint: int, feature: int) -> dict[str, Any]:
    arrays = {
        name: float(change.arrays[f"features/{name}"][checkpoint, feature])
        for name in ("size", "q", "mean", "density", "effect", "cosine")
    }
    before = {
        f"{name}_before": float(change.arrays[f"features/{name}"][0, feature])
        for name in ("mean", "density", "effect")
    }
    return {"feature": feature, **arrays, **before}


def _crossed(change: Change, feature: int) -> dict[str, Any]:
    arrays = change.arrays
    return {
        "feature": feature,
        "kind": KINDS[int(arrays["crosscoder/kind"][feature])],
        "norms": [float(value) for value in arrays["crosscoder/norm"][feature]],
        "scaling": [float(value) for value in arrays["crosscoder/scaling"][feature]],
        "depends": [float(value) for value in arrays["crosscoder/depends"][feature]],
        "cosine": float(arrays["crosscoder/cosine"][feature]),
        "density": float(arrays["crosscoder/density"][feature]),
        "stable": float(arrays["crosscoder/stable"][feature]),
        "birth": int(arrays["crosscoder/birth"][feature]),
        "death": int(arrays["crosscoder/death"][feature]),
    }


def change_text(found: dict[str, Any]) -> str:
    figures = msgspec.convert(found["checkpoints"], list[CheckpointFigures])
    blocks = [f"“{found['name']}”, read at {found['site']}", "\n".join(found["summary"])]
    blocks.append(checkpoints_table(figures))
    title = figures[found["checkpoint"]].title
    if found.get("features"):
        rows = [
            (
                str(f["feature"]), number(f["size"]), number(f["q"]), number(f["mean_before"]),
                number(f["mean"]), number(f["density_before"]), number(f["density"]),
                number(f["effect"]), number(f["cosine"]),
            )
            for f in found["features"]
        ]  # fmt: skip
        heads = ("feature", "change", "q", "mean before", "now", "density before", "now", "effect",
                 "cosine")  # fmt: skip
        blocks.append(f"Features that changed most on “{title}”\n{table(heads, rows, left=set())}")
    for name, said in (
        ("lens_tokens", "The difference at the first tokens, read as logits"),
        ("shift_tokens", "Tokens that became more likely since the checkpoint before"),
    ):
        if found[name]:
            shown = "  ".join(visible_token(one["token"]) for one in found[name])
            blocks.append(f"{said}\n{shown}")
    if found["traits"]:
        rows = [
            (
                t["trait"], f"{t['angle']:.0f}°", f"{t['angle_by_chance']:.0f}°",
                number(t["projection"]), number(t["projection_random"]),
                number(t["auroc_first"]), number(t["auroc_own"]), f"{t['probe_angle']:.0f}°",
                number(t["probe_auroc_first"]),
            )
            for t in found["traits"]
        ]  # fmt: skip
        heads = ("trait", "turned", "by chance", "moved", "random", "AUROC first", "own",
                 "probe turned", "AUROC")  # fmt: skip
        blocks.append(table(heads, rows, left={0}))
    if found.get("crosscoder"):
        rows = [
            (
                str(f["feature"]), f["kind"], " ".join(f"{norm:.2f}" for norm in f["norms"]),
                " ".join(f"{value:.2f}" for value in f["scaling"]), number(f["cosine"]),
                number(f["density"]), number(f["stable"]), str(f["birth"]), str(f["death"]),
            )
            for f in found["crosscoder"]
        ]  # fmt: skip
        heads = ("feature", "kind", "norms", "scaling", "cosine", "density", "stable", "birth",
                 "death")  # fmt: skip
        blocks.append(f"Features of the crosscoder\n{table(heads, rows, left={1, 2, 3})}")
    return "\n\n".join([*blocks, *found["warnings"]])


def watch_text(result: WatchResult) -> str:
    names = sorted({name for one in result.watched for name in one.scores})
    rows = [
        (one.name, *(number(one.scores.get(name)) for name in names), "alert" if one.alert else "")
        for one in result.watched
    ]
    lines = [table(("checkpoint", *names, ""), rows, left={0})]
    lines += [alert_sentence(alert) for alert in result.alerts]
    lines += [monitor_sentence(m, one.name) for one in result.watched for m in one.monitors]
    lines += [f"“{name}” was left out. {why}" for name, why in result.skipped.items()]
    lines += [f"Still waited for: {one}." for one in result.waiting]
    if 0 < result.promised_up_to < len(rows):
        lines.append(
            f"The promised rate holds for runs of up to {result.promised_up_to} checkpoints, as "
            f"the harmless ones had; this one has {len(rows)}."
        )
    return "\n".join(lines)
