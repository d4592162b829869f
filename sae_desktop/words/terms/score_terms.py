"""How far to believe a label: what its scores are, and what they are held against."""

from __future__ import annotations

from sae_desktop.features.reading.columns import column_info
from sae_desktop.words.terms.entry import Entry


def _tip(column: str) -> str:
    """Return what is said of a column of an index, as a sentence."""
    return f"{column_info(column).tip}."


SCORE_TERMS = (
    Entry(
        "Detection AUROC",
        "How often a text in which the feature fires fits its label better than one in which it is "
        "silent: 1 is perfect, 0.5 is chance.",
        "The texts were not used to make the label. The silent ones are of three kinds that weigh "
        "the same: any text, texts with a token on which the feature fires elsewhere, and texts in "
        "which a feature much like it fires. Each interval of activation weighs the same too, so "
        "that a label that fits only the strongest firings does not score high.",
        "Labels, and a feature’s page",
        ("Label score", "Shuffled label", "Top token alone", "AUROC"),
        ("Detection",),
    ),
    Entry(
        "Label score",
        _tip("label_score"),
        "It needs no language model: the label’s words, or its meaning, are looked for in the "
        "text. A score of 0.8 with another feature’s label at 0.5 says that the label means "
        "something here. Where the label has changed since, the score is no longer shown.",
        "Explore, as a column of the list and small beside a label",
        ("Detection AUROC", "Shuffled label", "Specificity of a label"),
        ("Label score, low", "Label score, high"),
    ),
    Entry(
        "Specificity of a label",
        _tip("label_specificity"),
        "A label such as “all English text” fits its own feature’s texts, but those of hundreds of "
        "others as well, so its specificity is near 0.5. Beside it stands the share of the places "
        "its words apply to at which the feature fires, by interval of activation.",
        "Explore, as a column of the list; Labels",
        ("Detection AUROC", "Sensitivity of a label"),
        ("Label specificity", "Specificity"),
    ),
    Entry(
        "Sensitivity of a label",
        _tip("label_sensitivity"),
        "The label’s words are put into other sentences, or the model continues texts of the kind; "
        "where the feature stays silent in most of them, the label says too much. The share is "
        "held against texts made from other features’ labels.",
        "Explore, as a column of the list; Labels",
        ("Specificity of a label", "Detection AUROC"),
        ("Label sensitivity", "Sensitivity"),
    ),
    Entry(
        "Log-probability of a label",
        _tip("label_log_probability"),
        "The model reads a few contexts and is asked what they have in common. 0.3 nats per token "
        "says that the feature’s own contexts make each token of the label a third more likely. A "
        "small model has little to say here.",
        "Explore, as a column of the list; Labels",
        ("Label score",),
        ("Label log-probability",),
    ),
    Entry(
        "Shuffled label",
        "The label of another feature, drawn at random, in place of a feature’s own: what a label "
        "scores that knows nothing of the feature.",
        "Its score need not be 0.5: “English text” fits many features a little. What counts is how "
        "far a label is above it.",
        "Labels, beside each score",
        ("Label score", "Top token alone", "Random direction"),
    ),
    Entry(
        "Top token alone",
        "The token a feature fires on most often, in place of its label: the least a label should "
        "beat.",
        "Of a feature that fires on one word it scores as high as any label can. Where it scores "
        "higher than the label, the label leaves the word out.",
        "Labels, beside each score",
        ("Label score", "Shuffled label"),
    ),
)
