"""Where features are read one after another, and what is found there."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

DESK_TERMS = (
    Entry(
        "Reading desk",
        "Shows one feature after another with its texts and the names proposed for it; keys do "
        "everything.",
        "Press a digit to agree with a name, E to type your own, N for the next; every change can "
        "be undone. Read some at random, too: what you find there holds for all features, while "
        "the densest are a kind of their own.",
        "Explore, Labels, Read one by one (Ctrl+R)",
        ("Label", "Proposed names", "Label score"),
        ("Read one by one",),
    ),
    Entry(
        "Proposed names",
        "All labels there are for a feature, with who made each and how far to believe it: yours, "
        "a model’s, imported, automatic.",
        "One of them is shown everywhere: yours before a model’s, a model’s before the automatic. "
        "To agree with one makes it the label; one that is rejected is not proposed again.",
        "the reading desk",
        ("Reading desk", "Label", "Label score"),
        ("Proposed name",),
    ),
    Entry(
        "What speaks for it",
        "What stands where the feature fires far more often than elsewhere, each with its share of "
        "the firings: of this the automatic name is made.",
        "“Python code 51%” says that half of its firings are in Python. Press one to see only the "
        "texts in which it holds: where they do not convince you, neither does the name.",
        "the reading desk",
        ("Proposed names", "Sense"),
        ("Evidence",),
    ),
    Entry(
        "Sense",
        "One of several things that a feature fires on, with its share of the firings.",
        "A feature of “bank 60%, shore 40%” needs a label that says both, or is two features in a "
        "larger dictionary.",
        "the reading desk",
        ("What speaks for it", "Splitting"),
        ("Senses",),
    ),
)
