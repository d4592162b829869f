"""What is met where checkpoints of a model are compared and watched."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

_WHERE = "sae-desktop change"

CHANGE_TERMS = (
    Entry(
        "Comparison of checkpoints",
        "The same texts through several checkpoints of one model, and what changed between them.",
        "Its features, the activations at the first tokens, traits and a crosscoder each say it "
        "in their own way; beside each stands what random directions or chance give.",
        _WHERE,
        ("Difference at the first tokens", "Trait", "Alert"),
        ("Comparisons of checkpoints",),
    ),
    Entry(
        "Difference at the first tokens",
        "The mean difference of activations over the first five tokens of ordinary text; longer "
        "means that training changed more.",
        "Read through the last layer as if it were the stream there, it often names what a "
        "fine-tune was for. It is given in typical norms, with the chance that random signs give "
        "as long a one.",
        _WHERE,
        ("Comparison of checkpoints",),
        ("First tokens",),
    ),
    Entry(
        "Trait",
        "A direction that tells the positives of a concept set from its negatives: the "
        "difference of their mean activations.",
        "It is measured on every checkpoint. How far it turns, and how far ordinary text moves "
        "along it, says whether training changes what the set is about; a probe is shown beside "
        "it.",
        _WHERE,
        ("Comparison of checkpoints", "Difference of means"),
        ("Traits", "Trait direction"),
    ),
    Entry(
        "Latent Scaling",
        "The multiple of a crosscoder feature that best explains a checkpoint: near 0 where the "
        "checkpoint lacks the feature, near 1 where it has it.",
        "An L1 penalty makes some features look exclusive to one checkpoint that are not. Those "
        "have a scaling above a half where their decoder norm says absent, and are called "
        "doubtful.",
        _WHERE,
        ("Crosscoder", "Exclusive feature"),
        ("Scaling of a feature",),
    ),
    Entry(
        "Exclusive feature",
        "A feature of a crosscoder that only some of the checkpoints have: its decoder norm is "
        "under a fifth of the largest in the others.",
        "Birth is the first checkpoint that has it, death the last. Shared features have even "
        "norms in all; rotated ones, too, but with another direction in some; partial ones lie "
        "between.",
        _WHERE,
        ("Latent Scaling", "Crosscoder"),
        (
            "Rotated feature",
            "Shared feature",
            "Doubtful feature",
            "Partial feature",
            "Birth",
            "Death",
        ),
    ),
    Entry(
        "Alert",
        "What a watch says of a checkpoint that changed more than harmless training does.",
        "It names the score that stands out most, between which two checkpoints, and how many "
        "harmless runs come as far. Without a calibration there are scores and no alerts.",
        "sae-desktop watch",
        ("Calibration of alerts", "Comparison of checkpoints"),
        ("Alerts", "Watch"),
    ),
    Entry(
        "Calibration of alerts",
        "The height above which a watch raises an alert, from watches of harmless runs.",
        "A quarter of the runs gives every score its unit, the others the height, so that a "
        "further harmless run of the same kind goes above it in at most the promised share of "
        "cases. For 10% there must be eleven runs in all, for 20% five.",
        "sae-desktop change calibrate",
        ("Alert",),
        ("Promised rate",),
    ),
)
