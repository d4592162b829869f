"""Monitors, their promise, and steering under a condition."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

MONITOR_TERMS = (
    Entry(
        "Monitor",
        "Something that is watched in the model while it reads and writes, and the score above "
        "which it fires.",
        "It reads features of a dictionary, a classifier on them, or a direction in the raw "
        "activations. Its threshold is calibrated on ordinary text to a promised rate of false "
        "positives, and the cheap ways of watching are calibrated beside it: one that catches "
        "fewer texts of the concept than the difference of means is not worth its features.",
        "Safety, Monitors; Steer, Watch with; sae-desktop monitor",
        ("False-positive rate", "Power", "Drift"),
        ("Monitors",),
    ),
    Entry(
        "False-positive rate",
        "The share of ordinary tokens, messages or conversations that a monitor may fire on: "
        "false positives.",
        "It holds for text such as that of calibration, and for no other. What lies in one "
        "document depends on one another, so a document counts once however long it is: a promise "
        "of at most 1% with a confidence of 95% takes at least 299 documents.",
        "sae-desktop monitor calibrate",
        ("Monitor", "Conformal", "Drift"),
    ),
    Entry(
        "Conformal",
        "A way to calibrate that keeps the promised rate on average over calibration texts, not "
        "for nearly all of them.",
        "It needs less text than a bound: 99 documents for 1%. Of single calibrations about half "
        "are above the promise.",
        "sae-desktop monitor calibrate --method",
        ("False-positive rate",),
    ),
    Entry(
        "Power",
        "The share of texts of the concept that a monitor catches at its promised rate; higher is "
        "better.",
        "It is measured on texts that the monitor was not learnt from, with intervals of 95%: "
        "Wilson’s, and the wider one of Clopper and Pearson.",
        "sae-desktop monitor calibrate",
        ("Monitor", "False-positive rate"),
    ),
    Entry(
        "Drift",
        "A warning that text scores otherwise than that of calibration did, so that the promise "
        "says nothing of it.",
        "One score a document is compared with those of calibration by the test of Kolmogorov and "
        "Smirnov, corrected for the number of monitors. That there is none does not prove that "
        "nothing has changed.",
        "sae-desktop monitor run",
        ("False-positive rate",),
        ("Drift warning",),
    ),
    Entry(
        "Condition",
        "When an intervention works: only on tokens on which a monitor fires or a feature is above "
        "a number.",
        "“When #12 > 3” clamps, removes or adds only there; “from the first time” also on all "
        "tokens after the first such one. A condition can also end the text. What it reads is what "
        "the model computes as it runs, at the site before anything is changed there.",
        "Steer, on a slider’s funnel; sae-desktop mitigate",
        ("Steering", "Monitor"),
        ("Conditions",),
    ),
    Entry(
        "Adaptive test",
        "A search for prompts that win back a behaviour which steering has stopped.",
        "First other wordings of a prompt are tried, then tokens put in before it, one exchanged "
        "at a time for what makes the behaviour more likely. It attacks the steering under its "
        "condition and, beside it, the same steering at every token. A search in vain does not "
        "prove that there is no such prompt.",
        "Safety › Monitors › When it fires, sae-desktop mitigate",
        ("Condition", "Monitor"),
        ("Won back",),
    ),
)
