"""The figures that an index holds for every feature: what a list shows, sorts and filters by.

Free of torch and Qt. Each is a dataset `columns/<name>` (F,) of the index; one that was not
measured is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["share", "count", "activation", "score", "coordinate", "category", "token"]
"""share: 0 to 1; score: a cosine or a correlation; category: a number that names something, −1
for none; token: a token's id, −1 for none."""


Modality = Literal["pictures", "text", "both"]
PICTURES, TEXT, BOTH = MODALITIES = ("pictures", "text", "both")
"""The names of the categories of the column “modality”."""
BOTH_FROM = 0.1
"""Of its density on the one kind of token, what a feature has on the other to fire on both."""
FIRES_ON_RULE = (
    "both where its density on the one kind of token is at least a tenth of that on the other"
)


@dataclass(frozen=True)
class ColumnInfo:
    """A figure of every feature."""

    name: str
    title: str
    kind: ColumnKind
    tip: str
    """What it is, in one line, with its unit."""
    spans_decades: bool = False
    """Shown and filtered on a logarithmic scale."""


COLUMNS: tuple[ColumnInfo, ...] = (
    ColumnInfo("density", "Density", "share", "Share of tokens on which it fires", True),
    ColumnInfo("firings", "Firings", "count", "Tokens on which it fires", True),
    ColumnInfo("max_activation", "Max", "activation", "Largest activation", True),
    ColumnInfo("mean_activation", "Mean", "activation", "Mean of the activations above 0", True),
    ColumnInfo(
        "std_activation", "Std", "activation", "Standard deviation of the activations above 0", True
    ),
    ColumnInfo(
        "window_start_share",
        "At window start",
        "share",
        "Share of its firings on the first token kept of a window: the model had read none of "
        "the text before it",
    ),
    ColumnInfo(
        "modality",
        "Pictures or text",
        "category",
        f"Whether it fires mostly on pictures, mostly on text or on both: {FIRES_ON_RULE}",
    ),
    ColumnInfo(
        "picture_share",
        "Share on pictures",
        "share",
        "Share of its firings that are on image tokens; compare it with their share of all tokens",
    ),
    ColumnInfo("picture_firings", "On pictures", "count", "Image tokens on which it fires", True),
    ColumnInfo("text_firings", "On text", "count", "Tokens of text on which it fires", True),
    ColumnInfo(
        "skewness", "Skewness", "score", "Third standardised moment of the activations above 0"
    ),
    ColumnInfo("kurtosis", "Kurtosis", "score", "Excess kurtosis of the activations above 0"),
    ColumnInfo(
        "language",
        "Language",
        "category",
        "Language of most of its activation (older indexes: of most of its firings)",
    ),
    ColumnInfo(
        "language_activation",
        "Language activation",
        "share",
        "Share of its activation in that language: strong firings count more",
    ),
    ColumnInfo(
        "language_share",
        "Language firings",
        "share",
        "Share of its firings in that language: weak firings count as much as strong ones",
    ),
    ColumnInfo(
        "language_independence",
        "Language independence",
        "score",
        "How far it fires on the same content in every language of aligned documents: 0 to 1",
    ),
    ColumnInfo(
        "same_concept",
        "Same in pictures and words",
        "score",
        "How well it tells one concept, chosen on words, from others: AUROC on words held out or "
        "on pictures, whichever is lower; 0.5 is chance, 1 is perfect",
    ),
    ColumnInfo(
        "same_concept_low",
        "Same in pictures and words, low",
        "score",
        "Lower end of its 95% interval: above 0.5, it tells the concept in both better than chance",
    ),
    ColumnInfo(
        "same_concept_back",
        "Same, chosen on pictures",
        "score",
        "The other way: how well it tells the concept, chosen on pictures, from others on words "
        "(AUROC); 0.5 is chance",
    ),
    ColumnInfo(
        "same_concept_languages",
        "Same in other languages",
        "score",
        "How well it tells the concept, chosen on words, in languages that nothing was chosen on "
        "(AUROC); 0.5 is chance",
    ),
    ColumnInfo(
        "concept",
        "Concept",
        "category",
        "The concept that it tells best from others, chosen on words; of those that were measured "
        "in words and pictures",
    ),
    ColumnInfo(
        "source",
        "Source",
        "category",
        "Source of most of its activation (older indexes: of most of its firings)",
    ),
    ColumnInfo(
        "source_activation",
        "Source activation",
        "share",
        "Share of its activation in that source: strong firings count more",
    ),
    ColumnInfo(
        "source_share",
        "Source firings",
        "share",
        "Share of its firings in that source: weak firings count as much as strong ones",
    ),
    ColumnInfo(
        "token",
        "Token",
        "token",
        "Token on which it fires most often",
    ),
    ColumnInfo(
        "token_activation",
        "Token activation",
        "share",
        "Share of its activation on that token: strong firings count more",
    ),
    ColumnInfo(
        "token_share",
        "Token firings",
        "share",
        "Share of its firings on that token: weak firings count as much as strong ones",
    ),
    ColumnInfo(
        "neuron_correlation",
        "Neuron |r|",
        "score",
        "Largest |Pearson correlation| with a neuron of this layer or the preceding ones",
    ),
    ColumnInfo(
        "nearest_cosine",
        "Nearest cosine",
        "score",
        "Cosine with the nearest other feature direction",
    ),
    ColumnInfo(
        "output_share",
        "At one output",
        "share",
        "Of a dictionary that writes several sites: share of the feature’s strength that is at "
        "its strongest output; 1: it writes there alone",
    ),
    ColumnInfo(
        "input_share",
        "By one input",
        "share",
        "Of a dictionary that reads several sites: how far the feature’s activation depends on "
        "one input, of what it loses with each put at its mean; 1: on that one alone",
    ),
    ColumnInfo(
        "output_effect",
        "Output effect",
        "score",
        "What clamping it does to the next token’s probabilities: KL in nats, mean over prompts",
    ),
    ColumnInfo(
        "suggested_strength",
        "Strength that works",
        "score",
        "At which steering with it turns a text and leaves it whole, in multiples of its maximum",
    ),
    ColumnInfo(
        "turn",
        "Turn",
        "share",
        "Share of a steered text’s tokens that are the feature’s own, beyond that in the plain "
        "text",
    ),
    ColumnInfo(
        "name_score",
        "Name score",
        "score",
        "How well the automatic name tells where the feature fires, on text it was not made from: "
        "0.5 is chance, 1 is perfect",
    ),
    ColumnInfo(
        "label_score",
        "Label score",
        "score",
        "How well the label tells texts in which the feature fires from look-alikes in which it is "
        "silent: detection AUROC on text held out; 0.5 is chance, 1 is perfect",
    ),
    ColumnInfo(
        "label_score_low",
        "Label score, low",
        "score",
        "Lower end of the label score’s 95% interval: above 0.5, the label is better than chance",
    ),
    ColumnInfo(
        "label_score_high",
        "Label score, high",
        "score",
        "Upper end of the label score’s 95% interval",
    ),
    ColumnInfo(
        "label_specificity",
        "Label specificity",
        "score",
        "How far the label fits this feature alone: AUROC of its texts against those in which "
        "other features fire; 0.5 is chance",
    ),
    ColumnInfo(
        "label_sensitivity",
        "Label sensitivity",
        "share",
        "Share of new texts made from the label in which the feature fires",
    ),
    ColumnInfo(
        "label_log_probability",
        "Label log-probability",
        "score",
        "By how much its contexts make the label more likely to the model than other features’ do, "
        "in nats per token",
    ),
    ColumnInfo(
        "seed_returns",
        "In other seeds",
        "share",
        "Share of the recipe’s other seeds that have a feature of nearly the same direction, by "
        "the newest benchmark",
    ),
    ColumnInfo("cluster", "Cluster", "category", "Cluster on the map; −1: none"),
    ColumnInfo("map_x", "Map x", "coordinate", "Place on the map"),
    ColumnInfo("map_y", "Map y", "coordinate", "Place on the map"),
)

_BY_NAME = {column.name: column for column in COLUMNS}


def column_info(name: str) -> ColumnInfo:
    """Return what is known of a column. Raises KeyError for none of COLUMNS."""
    return _BY_NAME[name]
