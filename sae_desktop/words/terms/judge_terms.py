"""How a language model judges labels."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

_WHERE = "Labels, and the scores of a label"

JUDGE_TERMS = (
    Entry(
        "Judge",
        "A language model that is asked whether labels fit the texts in which features fire.",
        "Before it judges any label it is tried on texts of which the truth is known. How well it "
        "did there stands beside every score that it gives; one that does no better than chance "
        "gives none. Models of a billion parameters or fewer seldom pass.",
        _WHERE,
        ("Detection by a judge", "Fuzzing", "Rubric", "Chance-corrected"),
    ),
    Entry(
        "Detection by a judge",
        "A judge reads a label and held-out texts and says in which of them the feature fires: 1 "
        "is perfect, 0.5 is chance.",
        "Half of the texts are silent ones, and hard: they hold the tokens on which the feature "
        "fires elsewhere, or its nearest neighbours fire in them. A label such as “all English "
        "text” is at chance there, since the silent texts are English too.",
        _WHERE,
        ("Balanced accuracy", "Fuzzing", "Detection AUROC"),
    ),
    Entry(
        "Fuzzing",
        "A judge reads a label and texts in which words are marked, and says whether those are "
        "the words the label speaks of: 1 is perfect, 0.5 is chance.",
        "In half of the texts the marks are on other words of the same text. So a label that "
        "tells only what kind of text it is does not pass, as it may in detection.",
        _WHERE,
        ("Detection by a judge", "Balanced accuracy"),
    ),
    Entry(
        "Intruder",
        "A judge finds the one of five texts in which the feature is silent, without a label: 1 "
        "is perfect, 0.2 is chance.",
        "It tells whether the texts of a feature have anything in common for a reader at all. "
        "Where intruders are not found, no label can be good.",
        _WHERE,
        ("Detection by a judge", "Chance-corrected"),
    ),
    Entry(
        "Rubric",
        "A judge rates how well a label fits the marked words of a text, from 0, irrelevant, to "
        "3, it cleanly identifies them.",
        "The mean rating of each interval of activation is drawn as a curve: a specific feature "
        "is at 3 down to its weak firings. Silent texts are rated too, and the score is how often "
        "a firing is rated above a silent text: a judge that gives 3 to everything is at chance.",
        _WHERE,
        ("Detection by a judge", "AUROC"),
    ),
    Entry(
        "Simulation",
        "A judge predicts from a label how strongly the feature fires on each token, 0–10; the "
        "score is the correlation with what is true: 1 is perfect, 0 is chance.",
        "Of each number the expectation over the judge’s probabilities is taken, so the server "
        "must give log-probabilities.",
        _WHERE,
        ("Detection by a judge", "Fuzzing"),
    ),
    Entry(
        "Chance-corrected",
        "A score set so that 0 is what blind answers reach and 1 is perfect; below 0 is worse "
        "than blind.",
        "A balanced accuracy of 0.75 is halfway between chance, 0.5, and perfect: 0.5 "
        "chance-corrected. So scores with different chances can stand on one plot.",
        _WHERE,
        ("Balanced accuracy", "Intruder"),
        ("Above chance",),
    ),
    Entry(
        "Balanced accuracy",
        "The mean of two shares answered rightly: of the texts in which the feature fires, and "
        "of those in which it is silent, with 0.5 for chance.",
        "Unlike plain accuracy it does not reward a judge for always saying yes or always saying "
        "no: either is right for one share and wrong for the other, 0.5 whatever their numbers.",
        _WHERE,
        ("Detection by a judge", "Chance-corrected"),
    ),
)
