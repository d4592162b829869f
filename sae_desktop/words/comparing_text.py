"""What is said of features side by side, in the window and on the command line. Free of Qt."""

from __future__ import annotations

from sae_desktop.features.reading.comparing import Comparison, PairFigures
from sae_desktop.features.reading.comparing_random import RandomPairs
from sae_desktop.features.reading.comparing_tokens import TellingToken
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import exact_count, figure_text, percent_text, signed_text
from sae_desktop.words.glossary import hover

_NONE = "–"
_TITLES = (
    "Decoder cosine",
    "Encoder cosine",
    "Both fire",
    "By chance",
    "Of the first",
    "Of the second",
    "Correlation",
)
COLUMNS: tuple[tuple[str, str], ...] = tuple((title, hover(title)) for title in _TITLES)
"""(title, what it is) of the figures of a pair."""
RANDOM_TITLE = "Random pairs"


def pair_title(pair: PairFigures) -> str:
    """Return the numbers of a pair."""
    return f"#{pair.first} and #{pair.second}"


def pair_cells(pair: PairFigures) -> tuple[str, ...]:
    """Return the figures of a pair, one for each of COLUMNS."""
    return (
        _signed(pair.decoder_cosine),
        _signed(pair.encoder_cosine),
        _NONE if pair.both is None else exact_count(pair.both),
        _NONE if pair.expected is None else _about(pair.expected),
        _share(pair.both, pair.first_firings),
        _share(pair.both, pair.second_firings),
        _signed(pair.pearson) if pair.most_pearson is None else f"≤ {pair.most_pearson:.2f}",
    )


def random_cells(random: RandomPairs) -> tuple[str, ...]:
    """Return what 95 of 100 random pairs stay below, one for each of COLUMNS."""
    below = [random.cosine, random.encoder_cosine]
    cosines = tuple(_NONE if value is None else f"< {value:.2f}" for value in below)
    together = "" if random.together is None else f"< {percent_text(random.together)}"
    return (*cosines, "", "", together, together, "")


def random_text(random: RandomPairs) -> str:
    """Return what the row of random pairs is, in whole sentences."""
    parts = [
        f"Random pairs: of {exact_count(random.pairs)} pairs of features drawn at random, 95 of "
        "100 stay below these figures in size."
    ]
    if random.nearest_cosine is not None:
        parts.append(
            "A feature and its nearest one have a decoder cosine of "
            f"{figure_text(random.nearest_cosine, 2)} at the median."
        )
    if random.together is not None:
        parts.append(
            f"The shares are those of the rarer feature’s firings, of "
            f"{exact_count(random.firing_pairs)} pairs."
        )
    return " ".join(parts)


def source_text(comparison: Comparison) -> str:
    """Return what the counts are of, and what to do where they could be better."""
    rows = exact_count(comparison.rows)
    parts = [f"Counted over all {rows} tokens of the index’s text."]
    if not comparison.counted:
        parts = [
            "The index has not kept where each feature fires: it knows how often two features fire "
            "together only where one is among those the other fires together with most. To have "
            f"all of its {rows} tokens counted, build the index again and keep the firings."
        ]
    if comparison.no_cosines:
        parts.append(f"There are no cosines: {comparison.no_cosines}")
    return " ".join(parts)


def pair_sentence(pair: PairFigures, random: RandomPairs) -> str:
    """Return in words how alike two features are, measured by random pairs."""
    told = f"{pair_title(pair)} {_alike(pair, random)}"
    return f"{told} {_together(pair)}".replace("  ", " ").strip()


def _alike(pair: PairFigures, random: RandomPairs) -> str:
    cosine, usual = pair.decoder_cosine, random.cosine
    if cosine is None or usual is None:
        return "cannot be compared by their directions."
    figures = f"decoder cosine {_signed(cosine)}; 95 of 100 random pairs stay below {usual:.2f}"
    if abs(cosine) <= usual:
        return f"push the model in directions no more alike than random ones ({figures})."
    if cosine > 0:
        return f"push the model in more alike directions than random pairs do ({figures})."
    return f"push the model in more opposite directions than random pairs do ({figures})."


def _together(pair: PairFigures) -> str:
    if pair.both is None or pair.expected is None:
        near = pair.near
        parts = []
        if pair.most_pearson is not None:
            parts.append(
                "Neither is among those that the other fires together with most: their "
                f"activations correlate by at most {pair.most_pearson:.2f}."
            )
        if near is not None:
            parts.append(
                f"On the {exact_count(near.tokens)} tokens around the contexts of both, chosen "
                f"because one fires strongly there, #{pair.first} fires on "
                f"{exact_count(near.first)}, #{pair.second} on {exact_count(near.second)}, both "
                f"on {exact_count(near.both)}."
            )
        return " ".join(parts)
    chance = f"chance gives {_about(pair.expected)}"
    if not pair.both:
        return f"They never fire on the same token, where {chance}."
    noun = "token" if pair.both == 1 else "tokens"
    told = f"They fire together on {exact_count(pair.both)} {noun}, where {chance}"
    return (
        f"{told}: on {_share(pair.both, pair.first_firings)} of the firings of #{pair.first} and "
        f"{_share(pair.both, pair.second_firings)} of those of #{pair.second}."
    )


def token_row(token: TellingToken, feature: int) -> tuple[str, str, str]:
    """Return the name of a token that tells a feature apart, its figure, and both in words."""
    name, times = visible_token(token.token), exact_count(token.firings)
    if token.alone is not None:
        figure = exact_count(token.alone)
        return (
            name,
            figure,
            f"#{feature} fires on “{name}” {times} times, {figure} of them where none of the "
            "others fires.",
        )
    others = "never" if not token.others else f"at most {exact_count(token.others)} times"
    return name, times, f"#{feature} fires on “{name}” {times} times, the others {others}."


def alone_text(firings: int | None, alone: int | None) -> str:
    """Return how much of a feature's firings is its own."""
    if firings is None:
        return ""
    if not firings:
        return "never fires"
    if alone is None:
        return f"{exact_count(firings)} firings"
    return f"{exact_count(firings)} firings, {_share(alone, firings)} of them alone"


def _signed(value: float | None) -> str:
    return _NONE if value is None else signed_text(value, 2)


def _share(count: int | None, of: int | None) -> str:
    return _NONE if count is None or not of else percent_text(count / of)


def _about(expected: float) -> str:
    return f"{expected:.2g}" if expected < 9.95 else exact_count(expected)
