"""What stands in a comparison of features."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

_WHERE = "Explore, the place Compare (Ctrl+Shift+M)"
COMPARING_TERMS = (
    Entry(
        "Compare",
        "Two to four features side by side: their contexts, directions and firings, and the "
        "tokens that tell them apart.",
        "Select features in the list and press “Compare”, or right-click one wherever it stands. "
        "Two features that look alike may fire on different words, or say different things of "
        "the same word: side by side one sees which.",
        _WHERE,
        ("Decoder cosine", "Both fire", "Tells it apart", "Pin"),
        ("Compare features", "Compare them", "Comparison"),
    ),
    Entry(
        "Decoder cosine",
        "How alike the directions are that two features write: 1 is the same, 0 nothing in "
        "common, −1 opposite.",
        "Features that write alike push the model to like next words. Whether 0.3 is much "
        "depends on the dictionary: compare it with random pairs, which stand beneath.",
        _WHERE,
        ("Cosine", "Encoder cosine", "Random pairs"),
    ),
    Entry(
        "Encoder cosine",
        "How alike the directions are that two features read: 1 is the same, 0 nothing in "
        "common, −1 opposite.",
        "A feature reads one direction and writes another; two that read alike tend to fire on "
        "the same tokens.",
        _WHERE,
        ("Cosine", "Decoder cosine", "Both fire"),
    ),
    Entry(
        "Both fire",
        "The number of tokens of the index’s text on which both features fire.",
        "It means little alone: two features that fire often meet by chance. Compare it with "
        "the column By chance. It is counted where the index has kept its firings.",
        _WHERE,
        ("By chance", "Pearson correlation", "Of the first"),
    ),
    Entry(
        "By chance",
        "On how many tokens both features would fire if each fired without regard to the other.",
        "It is the product of their densities, times the number of tokens. Far more than that "
        "says that they go together, far less that one stays silent where the other fires.",
        _WHERE,
        ("Both fire", "Density"),
    ),
    Entry(
        "Of the first",
        "The share of the first feature’s firings on which the second one fires, too.",
        "If it is 100% and the other share is small, the first is a special case of the second.",
        _WHERE,
        ("Of the second", "Both fire"),
    ),
    Entry(
        "Of the second",
        "The share of the second feature’s firings on which the first one fires, too.",
        "If it is 100% and the other share is small, the second is a special case of the first.",
        _WHERE,
        ("Of the first", "Both fire"),
    ),
    Entry(
        "Random pairs",
        "What pairs of features drawn at random have in common: 95 of 100 of them stay below "
        "these figures in size.",
        "They are the measure of the pairs above: a cosine that a random pair easily reaches says "
        "nothing. The same features are drawn each time.",
        _WHERE,
        ("Decoder cosine", "Both fire"),
    ),
    Entry(
        "Tells it apart",
        "The tokens on which this feature fires and none of the others does, the most frequent "
        "first.",
        "Where the index has not kept its firings, these are tokens on which this feature fires "
        "more often than the others together can.",
        _WHERE,
        ("Compare", "Fires on"),
    ),
    Entry(
        "Pin",
        "Keeps a feature in a comparison while you open others, each of which then stands beside "
        "it.",
        "Pin a feature, then walk the list with the arrow keys.",
        _WHERE,
        ("Compare",),
        ("Pinned", "Unpin"),
    ),
)
