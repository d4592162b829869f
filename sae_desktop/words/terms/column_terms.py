"""Figures that an index holds for every feature, as the list's columns show them."""

from __future__ import annotations

from sae_desktop.features.reading.columns import column_info
from sae_desktop.words.terms.entry import Entry


def _tip(column: str) -> str:
    """Return what is said of a column of an index, as a sentence."""
    return f"{column_info(column).tip}."


COLUMN_TERMS = (
    Entry(
        "Mean activation",
        _tip("mean_activation"),
        "A mean that is small beside the maximum says that most firings are weak and a few are "
        "strong, as with a mean of 10 and a maximum of 56.",
        "Explore, in the list and below the label",
        ("Maximum", "Standard deviation"),
        ("Mean",),
    ),
    Entry(
        "Standard deviation",
        _tip("std_activation"),
        "It says how far activations lie from their mean: 8 around a mean of 10 is a wide spread.",
        "Explore, in the list and below the label",
        ("Mean activation", "Skewness"),
        ("Std",),
    ),
    Entry(
        "Skewness",
        _tip("skewness"),
        "Above 0, most activations are small and a few are large, as of most features.",
        "Explore, in the list and below the label",
        ("Kurtosis", "Histogram"),
        ("Skew",),
    ),
    Entry(
        "Kurtosis",
        _tip("kurtosis"),
        "It is 0 for a bell curve and larger the more of the spread comes from a few extreme "
        "values.",
        "Explore, in the list and below the label",
        ("Skewness", "Histogram"),
    ),
    Entry(
        "At window start",
        _tip("window_start_share"),
        "Such firings say little about the text. A feature with 90% of its firings there "
        "responds to the place and not to what is written.",
        "Explore, as a column of the list",
        ("Window of text", "BOS"),
    ),
    Entry(
        "Pictures or text",
        _tip("modality"),
        "Densities are compared and not counts, so that a feature may fire on both where a text "
        "has few pictures.",
        "Explore, as a column of the list and among its filters, of a text with pictures",
        ("Image token", "Density"),
    ),
    Entry(
        "Share on pictures",
        _tip("picture_share"),
        "Where 90% of all tokens are of pictures, 90% is what a feature has that does not tell "
        "them from text.",
        "Explore, as a column of the list, of a text with pictures",
        ("Image token", "Pictures or text"),
    ),
    Entry(
        "On pictures",
        _tip("picture_firings"),
        "A picture has from 20 to some thousands of them.",
        "Explore, as a column of the list, of a text with pictures",
        ("Image token", "Firing"),
    ),
    Entry(
        "On text",
        _tip("text_firings"),
        "They are all others than image tokens, those that the model puts around a picture "
        "included.",
        "Explore, as a column of the list, of a text with pictures",
        ("Token", "Firing"),
    ),
    Entry(
        "Language",
        _tip("language"),
        "The share beside it says how clearly: 98% of the activation in French is a French "
        "feature, 20% only a preference. Languages come from the corpus, which has to know them.",
        "Explore, on a feature’s page and in the list",
        ("Source", "Language independence"),
        ("Languages",),
    ),
    Entry(
        "Language activation",
        _tip("language_activation"),
        "Sort by it to find features of one language: near 100% means no other language sets "
        "them off strongly.",
        "Explore, as a column of the list",
        ("Language", "Language firings"),
    ),
    Entry(
        "Language firings",
        _tip("language_share"),
        "It is lower than the share of activation where a feature fires weakly in many languages.",
        "Explore, as a column of the list",
        ("Language", "Language activation"),
    ),
    Entry(
        "Language independence",
        _tip("language_independence"),
        "Near 1, the feature follows what is said, whatever the language; near 0, it follows "
        "the words. The documents compared say the same in several languages.",
        "Explore, as a column of the list; the Languages panel shows it text by text",
        ("Language",),
    ),
    Entry(
        "Same in pictures and words",
        _tip("same_concept"),
        "The concept is the one that the feature tells best on half of the sentences of each "
        "concept; both figures are on what was not chosen on. Near 1, the same feature fires on "
        "“horse” and on drawings of horses, and on nothing else that was tried. A feature’s page "
        "says what another concept in its place gives, and shows the intervals.",
        "Explore, as a column of the list once concepts were measured with drawings under Kinds of "
        "instance",
        ("AUROC", "Language independence"),
        ("Same in pictures and words, low",),
    ),
    Entry(
        "Same, chosen on pictures",
        _tip("same_concept_back"),
        "It may be another concept than the one chosen on words. Where both ways agree and both "
        "are near 1, neither is a matter of what one began with.",
        "Explore, as a column of the list once concepts were measured with drawings",
        ("Same in pictures and words",),
    ),
    Entry(
        "Same in other languages",
        _tip("same_concept_languages"),
        "A feature of the English word alone is at 0.5 here, however well it tells it in English.",
        "Explore, as a column of the list once concepts were measured with drawings",
        ("Same in pictures and words", "Language independence"),
    ),
    Entry(
        "Source",
        _tip("source"),
        "Sources are the parts a corpus is mixed from, such as an encyclopaedia, programs and "
        "laws.",
        "Explore, on a feature’s page and in the list",
        ("Language", "Corpus"),
        ("Sources",),
    ),
    Entry(
        "Source activation",
        _tip("source_activation"),
        "A feature with 95% of its activation in programs responds to code.",
        "Explore, as a column of the list",
        ("Source", "Source firings"),
    ),
    Entry(
        "Source firings",
        _tip("source_share"),
        "Compare it with the share of activation: where that is much higher, the strong "
        "firings come from this source and the weak ones from anywhere.",
        "Explore, as a column of the list",
        ("Source", "Source activation"),
    ),
    Entry(
        "Token activation",
        _tip("token_activation"),
        "Near 100%, the feature responds to one token and to hardly anything else.",
        "Explore, as a column of the list",
        ("Token", "Token firings"),
    ),
    Entry(
        "Token firings",
        _tip("token_share"),
        "Near 100%, the feature is a detector of one token.",
        "Explore, as a column of the list",
        ("Token", "Token activation"),
    ),
    Entry(
        "Neuron correlation",
        _tip("neuron_correlation"),
        "Near 1, the feature repeats what a single neuron does already; far below it, no neuron "
        "says what the feature says. The sign tells whether the two rise together.",
        "Explore, as a column of the list and on a feature’s page under Neurons",
        ("MLP", "Pearson correlation"),
        ("Neuron |r|", "Neurons"),
    ),
    Entry(
        "Nearest cosine",
        _tip("nearest_cosine"),
        "Near 1, the dictionary has the same direction twice, which is a waste.",
        "Explore, as a column of the list, and the figures of an evaluation (their median)",
        ("Cosine", "Neighbours"),
    ),
    Entry(
        "At one output",
        _tip("output_share"),
        "A crosscoder’s or cross-layer transcoder’s feature writes to several layers or models. "
        "Near 1, it belongs to one of them; with equal strengths at all of n outputs it is 1/n.",
        "Explore, as a column of the list",
        ("Crosscoder",),
    ),
    Entry(
        "By one input",
        _tip("input_share"),
        "A feature may write to every layer and still be driven by a single one: near 1, it is. "
        "With equal shares of all of n inputs it is 1/n.",
        "Explore, as a column of the list",
        ("Crosscoder", "At one output"),
    ),
    Entry(
        "Name score",
        _tip("name_score"),
        "It is the AUROC of the name’s facts: how often they stand where the feature fires rather "
        "than where it is silent. Where it is near 0.5, the name is a guess. A dash: the text kept "
        "for scoring has too few of its firings.",
        "Explore, as a column of the list and small beside an automatic name",
        ("AUROC",),
    ),
    Entry(
        "Strength that works",
        _tip("suggested_strength"),
        "It is measured feature by feature on a few prompts: the smallest strength that changes "
        "the text visibly, if any does so before the text breaks.",
        "Explore, as a column of the list once the effects have been measured; Steer",
        ("Strength", "Turn"),
        ("Suggested strength",),
    ),
    Entry(
        "Turn",
        _tip("turn"),
        "20% means that every fifth token is one the feature stands for and that the plain text "
        "has not. Near 0, steering with the feature does nothing one could see.",
        "Explore, as a column of the list once the effects have been measured",
        ("Strength that works", "Steering"),
    ),
    Entry(
        "Output effect",
        _tip("output_effect"),
        "Large ones make good sliders for steering: turned up, they change what the model "
        "writes. A feature may fire often and still have next to no effect of its own.",
        "Explore, as a column of the list once the effects have been measured",
        ("KL", "Steering", "Clamp"),
    ),
    Entry(
        "In other seeds",
        _tip("seed_returns"),
        "100% means that every other training of the same recipe found it, too: it is a matter of "
        "the model. At 0% it may be one of chance.",
        "Explore, as a column of the list once a benchmark has followed features over seeds",
        ("Return in all seeds", "PW-MCC", "Recipe"),
    ),
)
