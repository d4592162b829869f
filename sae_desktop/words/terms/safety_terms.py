"""What stands in a scan for concept sets."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

_WHERE = "Safety: Concept sets and Scan; the commands concept-sets and scan"
SAFETY_TERMS = (
    Entry(
        "Concept set",
        "Texts that have one thing in common, and near misses that have not, with some of both "
        "held out.",
        "Those that ship are of what one fears of a model, such as deception, and of everyday "
        "failures, such as made-up citations. A project has its own beside them. What is held out "
        "is apart by template, never by single texts.",
        _WHERE,
        ("Near miss", "Template", "Scan for concept sets", "Held out"),
        ("Concept sets",),
    ),
    Entry(
        "Near miss",
        "A text about the same matters in much the same words, without what the concept set is of.",
        "To tell positives from any other text is easy, since they differ in style and topic. To "
        "tell them from near misses takes the concept itself.",
        _WHERE,
        ("Concept set", "AUROC"),
        ("Near misses",),
    ),
    Entry(
        "Template",
        "A sentence with places that are filled with several words: its texts are much alike.",
        "Texts of one template are never parted into learnt from and held out, and count as fewer "
        "in an interval, since one says little that another does not.",
        _WHERE,
        ("Concept set", "Held out"),
        ("Templates",),
    ),
    Entry(
        "Scan for concept sets",
        "All features of a dictionary against concept sets: which tell the texts apart, and "
        "whether they act.",
        "Features are proposed by the templates that are learnt from and scored on those that are "
        "held out, against near misses, ordinary text and other languages. Beside them stand a "
        "difference of means, a logistic regression on raw activations and random directions on "
        "the same texts, also where these are better.",
        _WHERE,
        ("Concept set", "Near miss", "q-value", "Difference of means"),
        ("Scan", "Scans"),
    ),
    Entry(
        "q-value",
        "A p-value that allows for how many features were looked at.",
        "Of the features with a q-value of at most 0.05, one in twenty is expected to separate "
        "nothing (Benjamini and Hochberg, 1995).",
        _WHERE,
        ("Scan for concept sets",),
        ("q", "q-values"),
    ),
)
