"""Search by meaning."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

SEARCH_TERMS = (
    Entry(
        "Search by meaning",
        "Finds features whose label, name or contexts are about what you describe, whatever words "
        "they use.",
        "“An error in a program” finds features that fire on ValueError, although neither of them "
        "has the other’s words. The features nearest in meaning come first; a row says in grey "
        "which context was found. It needs the sentence encoder, and the labels and contexts of "
        "the index must have been read once.",
        "Explore, in the field above the list, and in the search over everything",
        ("Sentence encoder", "Cosine of meaning"),
        ("By meaning", "Meaning"),
    ),
    Entry(
        "Sentence encoder",
        "A small language model that turns a sentence into 384 numbers, near each other for "
        "sentences of like meaning.",
        "The program uses MiniLM (all-MiniLM-L6-v2, 22 million parameters, Apache licence 2.0), "
        "which is downloaded when you ask for it and works offline from then on. It was trained on "
        "English; other languages are found less well.",
        "Explore, in the field above the list",
        ("Search by meaning",),
        ("MiniLM", "Sentence encoder MiniLM"),
    ),
    Entry(
        "Cosine of meaning",
        "How near what you asked is to what was found: 1 is the same meaning, 0 is none in common.",
        "A label that says what you asked for has 0.5 to 0.8. Contexts, which are about more than "
        "one thing, seldom reach 0.6, and below about 0.35 what is found has little to do with the "
        "question. It compares two texts, not the directions of two features.",
        "Explore, on hovering over a feature that was found",
        ("Search by meaning", "Cosine"),
    ),
)
