"""Monitors, mitigations and what they found as text for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.cli.render import table
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.safety.mitigation.config import Figure, MitigateResult
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorResult,
    ExportMonitorResult,
    Power,
    Promise,
    RunMonitorsResult,
)
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.words.amounts import share_text
from sae_desktop.words.monitor_text import promise_text, searched_text, winner_text
from sae_desktop.words.store_text import plural

_SHOWN = 20


def calibrated(result: CalibrateMonitorResult) -> str:
    lines = [
        f"“{result.name}” fires above {result.threshold:.4g}.",
        promise_text(result.promise),
        _any_firing(result.promise),
        *result.notes,
    ]
    if result.power:
        lines += ["", _power(result.power), winner_text(result.power)]
    return "\n".join(lines)


def _any_firing(promise: Promise) -> str:
    share = share_text(promise.blocks_firing / promise.blocks)
    return f"{share} of the calibration documents have a {promise.unit} that fires."


def _power(power: Sequence[Power]) -> str:
    rows = [
        (
            one.what,
            f"{one.threshold:.4g}",
            f"{one.caught}/{one.of}",
            f"{one.wilson[0]:.0%}–{one.wilson[1]:.0%}",
            f"{one.exact[0]:.0%}–{one.exact[1]:.0%}",
            f"{one.near_misses}/{one.near_of}",
            "–" if one.auroc is None else f"{one.auroc:.3f}",
        )
        for one in power
    ]
    heads = ("watched by", "threshold", "caught", "Wilson", "Clopper–Pearson", "near misses",
             "AUROC")  # fmt: skip
    return table(heads, rows, left={0})


def ran(result: RunMonitorsResult) -> str:
    rows = [
        (
            one.monitor,
            plural(one.units, one.unit),
            f"{one.fired:,}",
            f"{one.rate:.2%}",
            "–"
            if one.rate_interval is None
            else f"{one.rate_interval[0]:.2%}–{one.rate_interval[1]:.2%}",
            f"{one.promised:.2%}",
            "–" if one.drift_p is None else f"{one.drift_p:.2g}",
        )
        for one in result.runs
    ]
    heads = ("monitor", "read", "fired", "rate", "95%", "promised", "p of drift")
    lines = [table(heads, rows, left={0}), *(one.drift for one in result.runs if one.drift), ""]
    for hit in result.hits[:_SHOWN]:
        where = f"{hit.title or hit.source} {hit.document}".strip()
        before, own, after = map(visible_token, (hit.before, hit.text, hit.after))
        lines.append(f"{hit.score:.4g}  {where}: …{before}【{own}】{after}…")
    lines.append(f"{plural(result.kept, 'hit')} in {result.path}.")
    return "\n".join(lines)


def monitors(found: Sequence[Monitor]) -> str:
    if not found:
        return "The project has no monitor. Make one with “sae-desktop monitor calibrate”."
    return "\n\n".join(_monitor(one) for one in found)


def _monitor(one: Monitor) -> str:
    lines = [
        f"{one.name}: {one.made}, read at {', '.join(one.places)} of {one.model}; fires above "
        f"{one.threshold:.4g}.",
        promise_text(one.promise),
        f"Calibrated on {one.corpus} ({one.corpus_digest[:12]}), {one.created}.",
    ]
    return "\n".join(lines + ([_power(one.power), winner_text(one.power)] if one.power else []))


def exported(result: ExportMonitorResult) -> str:
    return f"{result.path} holds {', '.join(result.files)}. Try: python monitor.py “a text”"


def mitigated(result: MitigateResult) -> str:
    rows = [
        (
            one.name,
            f"{one.shown}/{one.of}",
            "–" if one.removed is None else _shares(one.removed),
            _figure(one.loss),
            _shares(one.loss_share),
            _figure(one.kl),
            f"{one.refused}/{one.harmless}",
            share_text(one.open_share),
        )
        for one in result.outcomes
    ]
    heads = ("steering", "shown", "removed", "loss added", "of the loss", "KL", "refused", "works")
    lines = [table(heads, rows, left={0}), f"Plain loss: {result.plain_loss:.3f} nats per token."]
    for searched in result.searched:
        lines.append(searched_text(searched))
        lines += [
            f"  {one.prompt[:60]}: {one.by or 'not won back'} after {one.tries} tries"
            + (f" ({visible_token(one.found)})" if one.won else "")
            for one in searched.attacks
        ]
    return "\n".join([*lines, *result.notes])


def _figure(one: Figure) -> str:
    ends = "" if one.low is None else f" ({one.low:.3f} to {one.high:.3f})"
    return f"{one.value:.3f}{ends}"


def _shares(one: Figure) -> str:
    ends = "" if one.low is None else f" ({one.low:.1%} to {one.high:.1%})"
    return f"{one.value:.1%}{ends}"
