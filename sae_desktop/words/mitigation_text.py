"""What is said of steering under a condition that was put to the test. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sae_desktop.safety.mitigation.config import (
    REFUSALS_TOLD,
    Figure,
    MitigateResult,
    Outcome,
    Searched,
)
from sae_desktop.words.amounts import MINUS, share_text

PLAIN_WAY = "plain"
_WHOLE = 0.1
"""Shares from which on percent have no digits after the point."""
_TITLES = {
    PLAIN_WAY: "The model as it is",
    "under the condition": "When it fires",
    "at every token": "Always, at every token",
    "on a random condition": "On a random condition",
}
_SHORT = {
    "plain": "As it is",
    "under the condition": "When it fires",
    "at every token": "Always",
    "on a random condition": "At random",
}
"""What the outcomes are called in the window."""
_FIGURES = (
    ("Behaviour shown", "After how many prompts it occurs."),
    ("Removed", "Share of what the model showed before that is gone, with its interval of 95%."),
    ("Loss added", "On ordinary text, as a share of the plain loss, with its interval of 95%."),
    ("KL", ""),
    ("Refused", f"Harmless prompts that are refused, or whose text a condition ended. "
                f"{REFUSALS_TOLD}"),
    ("Tokens changed", "Share of the tokens of ordinary text on which it does something."),
)  # fmt: skip
"""What is told of each way, and what it means; empty: what the glossary says."""
_WAYS_TOLD = (
    "The same steering under the condition, without it, and on a random direction that is true on "
    "as many ordinary tokens."
)


def way_title(name: str) -> str:
    return _TITLES.get(name, name)


class OutcomeTable(NamedTuple):
    """Figures beneath each other, a column a way."""

    heads: list[tuple[str, str]]
    """A title and what it means."""
    rows: list[list[str]]
    tips: list[str]
    """What each row means; empty: what the glossary says."""


def outcome_table(outcomes: Sequence[Outcome]) -> OutcomeTable:
    """Return the ways of steering beside each other."""
    columns = [_column(one) for one in outcomes]
    rows = [
        [title, *(column[number] for column in columns)]
        for number, (title, _) in enumerate(_FIGURES)
    ]
    heads = [("", ""), *((_short_title(one.name), _WAYS_TOLD) for one in outcomes)]
    return OutcomeTable(heads, rows, [tip for _, tip in _FIGURES])


def _column(one: Outcome) -> list[str]:
    plain = one.name == PLAIN_WAY
    return [
        f"{one.shown} of {one.of}",
        "–" if one.removed is None or plain else _shares(one.removed),
        "–" if plain else _shares(one.loss_share),
        "–" if plain else _figure(one.kl),
        f"{one.refused} of {one.harmless}" if one.harmless else "–",
        "–" if plain else share_text(one.open_share),
    ]


def _short_title(name: str) -> str:
    return _SHORT.get(name, name)


def verdict_text(result: MitigateResult) -> str:
    """Return what the test found in a few sentences, also where a cheaper way does as well."""
    found = {one.name: one for one in result.outcomes}
    plain, own = found.get(PLAIN_WAY), found.get("under the condition")
    if plain is None or own is None:
        return ""
    if own.removed is None:
        return (
            "The model shows the behaviour after none of these prompts, so there was nothing to "
            "stop. Give prompts after which it occurs."
        )
    if own.shown >= plain.shown:
        return (
            f"It removes nothing: {plain.shown} of {plain.of} prompts showed the behaviour before, "
            f"{own.shown} do under the condition, which works on {share_text(own.open_share)} of "
            "ordinary tokens. Other features, a greater strength or a monitor that fires earlier "
            "may do more."
        )
    lines = [
        f"When it fires: {_whole(own.removed)} of the behaviour is gone ({plain.shown} of "
        f"{plain.of} prompts showed it, now {own.shown}), for {_change(own.loss_share)} loss on "
        "ordinary text."
    ]
    always, random = found.get("at every token"), found.get("on a random condition")
    if always is not None and always.removed is not None:
        lines.append(
            f"Without the condition, at every token: {_whole(always.removed)} gone, for "
            f"{_change(always.loss_share)} loss."
        )
        if always.loss_share.value <= own.loss_share.value and always.shown <= own.shown:
            lines.append("So the condition buys nothing here: steering always does as well.")
    if random is not None and random.removed is not None:
        lines.append(f"On a random condition that is true as often: {_whole(random.removed)} gone.")
        if random.shown <= own.shown:
            lines.append(
                "So it is not what the monitor reads that helps: a random condition does as much."
            )
    return " ".join(lines)


def search_text(searched: Searched, tries: int) -> str:
    """Return what an adaptive search won back, in a sentence."""
    low, high = searched.share
    return (
        f"{way_title(searched.way)}: other wordings and tokens put in won the behaviour back in "
        f"{searched.won} of {len(searched.attacks)} prompts ({low:.0%}–{high:.0%}), with at most "
        f"{tries} tries each."
    )


SEARCH_NOTE = "A search in vain does not prove that there is no such prompt; more tries find more."


class TradePoint(NamedTuple):
    """One way of steering: what it removes for what it costs, in percent, with intervals."""

    title: str
    cost: float
    cost_ends: tuple[float, float]
    gone: float
    gone_ends: tuple[float, float]


def trade_points(outcomes: Sequence[Outcome]) -> list[TradePoint]:
    """Return the ways that steer, where there was a behaviour to remove."""
    found = []
    for one in outcomes:
        if one.name == PLAIN_WAY or one.removed is None:
            continue
        found.append(TradePoint(
            way_title(one.name), 100 * one.loss_share.value, _ends(one.loss_share),
            100 * one.removed.value, _ends(one.removed),
        ))  # fmt: skip
    return found


def _ends(one: Figure) -> tuple[float, float]:
    low = one.value if one.low is None else one.low
    high = one.value if one.high is None else one.high
    return 100 * low, 100 * high


def _whole(one: Figure) -> str:
    ends = "" if one.low is None or one.high is None else f" ({one.low:.0%}–{one.high:.0%})"
    return f"{one.value:.0%}{ends}"


def _change(one: Figure) -> str:
    return f"{one.value:+.1%}".replace("-", MINUS)


def _shares(one: Figure) -> str:
    digits = 0 if abs(one.value) >= _WHOLE else 1
    return f"{100 * one.value:.{digits}f}%{_between(one, 100, digits)}".replace("-", MINUS)


def _figure(one: Figure) -> str:
    return f"{one.value:.3f}{_between(one, 1, 3)}".replace("-", MINUS)


def _between(one: Figure, factor: float, digits: int) -> str:
    """Return an interval in brackets, such as “ (64–95)”; nothing where there is none."""
    if one.low is None or one.high is None:
        return ""
    low, high = f"{factor * one.low:.{digits}f}", f"{factor * one.high:.{digits}f}"
    return f" ({low} to {high})" if low.startswith("-") else f" ({low}–{high})"
