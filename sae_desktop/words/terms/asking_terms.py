"""What can be asked of features: texts to try, text sets, other dictionaries, concepts."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

ASKING_TERMS = (
    Entry(
        "Try a text",
        "Reads your own text with the model and shows which features each token sets off.",
        "Type a sentence and the strongest features of every token appear below it. Click a "
        "feature to open its page. This is the quickest test of a label: write something that "
        "should set the feature off, and something that should not.",
        "Explore, the panel at the right (Ctrl+T)",
        ("Activation", "Attribution", "Share of maximum"),
        ("Probe",),
    ),
    Entry(
        "Share of maximum",
        "An activation divided by the largest that the feature had on the indexed text.",
        "It makes features comparable: 10 is strong for a feature with a maximum of 12 and "
        "weak for one with 100.",
        "the ranking of a text you try",
        ("Maximum", "Attribution"),
    ),
    Entry(
        "Times usual",
        "How many times as much of a feature there is in this text as in other text of its length.",
        "A feature’s activations over its maximum are added up and divided by what the indexed "
        "text has on as many tokens. A text is listed by it at first, weighed by how much there "
        "is: “French text” at 9× on half of the words comes before a letter that fires once, "
        "even at 40×.",
        "the ranking of a text you try",
        ("Share of maximum", "Density"),
        ("More than usual",),
    ),
    Entry(
        "Attribution",
        "How much a feature contributes to the model’s prediction of the next token, estimated "
        "from gradients.",
        "A feature can be strongly active and matter little for what comes next; ranked by "
        "attribution, those that matter come first. It is an estimate: steering shows the "
        "real effect.",
        "the ranking of a text you try",
        ("Activation", "Steering", "Logits"),
    ),
    Entry(
        "Text set",
        "Two groups of texts, A and B, between which features are looked for that tell them apart.",
        "Put French sentences into A and English ones into B, and the features of French come "
        "out first. A few texts find candidates; to be sure, use twenty or more of each.",
        "Explore, the panel Text sets",
        ("AUROC", "Threshold", "Classifier"),
        ("Text sets", "A", "B"),
    ),
    Entry(
        "Margin",
        "How far a feature’s weakest text of A is above its strongest text of B, as a share of its "
        "maximum.",
        "At 0.50, even the weakest text of A is half of the feature’s maximum above every text of "
        "B. The texts of A that may miss the feature are left out. The larger the margin, the "
        "more clearly the feature tells A from B.",
        "Explore, the panel Text sets",
        ("Text set", "Maximum", "May miss"),
    ),
    Entry(
        "Threshold",
        "The share of its maximum above which a feature counts as active in a text.",
        "At 10%, a feature with a maximum of 50 counts as active from 5 on. A higher threshold "
        "leaves out weak firings, which are often noise.",
        "Explore, the panel Text sets",
        ("Text set", "Maximum"),
    ),
    Entry(
        "May miss",
        "How many of the texts in A may lack a feature that is still reported.",
        "0 asks that a feature is active in all of them; with many texts, allow for a few.",
        "Explore, the panel Text sets",
        ("Text set", "Threshold"),
    ),
    Entry(
        "Classifier",
        "A small model that tells the two text sets apart from their features; higher scores "
        "on held-out texts are better.",
        "It uses as few features as it can, and the weight of each says how much it counts. "
        "Beside it stands a classifier on the raw activations: if that does no better, the "
        "features hold what is needed.",
        "Explore, the panel Text sets",
        ("Text set", "AUROC", "Held out"),
        ("Also train a classifier", "Weights of the classifier", "Linear classifier"),
    ),
    Entry(
        "AUROC",
        "How well a figure tells two groups apart: 1 always, 0.5 as a coin does.",
        "It is the chance that a text from A scores higher than one from B. 0.95 is good; with "
        "few texts it varies, so the interval beside it matters as much as the figure.",
        "Explore, the panel Text sets",
        ("Classifier", "Text set"),
    ),
    Entry(
        "Match",
        "The feature of another dictionary whose direction is nearest to this one’s.",
        "A cosine of 0.9 or more means that both dictionaries have found the same thing, which "
        "speaks for its being in the model and not in one training. Below about 0.5 there is "
        "no counterpart.",
        "a feature’s page, under “In other dictionaries”",
        ("Cosine", "Splitting"),
        ("Match dictionaries", "Matches"),
    ),
    Entry(
        "Splitting",
        "How a feature of a small dictionary becomes several narrower ones in a larger one.",
        "“Numbers” in a dictionary of 512 features may be “years”, “prices” and “page numbers” "
        "in one of 4,096. The tree shows each part with its cosine and its strongest context.",
        "Explore, the panel Splitting",
        ("Match", "Cosine"),
    ),
    Entry(
        "Completeness",
        "The share of a list of concepts for which a dictionary has a feature; higher is better.",
        "For each concept, such as every country, the feature that finds it best is looked for "
        "on half of the text and scored on the other half. Concepts that occur often have a "
        "feature sooner than rare ones, so the share is drawn against frequency.",
        "Explore, the panel Completeness",
        ("F1", "Alive", "Random control"),
        ("Concepts", "Find concepts", "Concept"),
    ),
    Entry(
        "Kinds of instance",
        "The forms in which one idea comes: its word in several languages, other words for it, a "
        "description that never names it, an emoji, code that does it, a drawing.",
        "A feature that is an idea, and not a word, tells it in all of them. For each concept a "
        "feature is chosen on some kinds and tried on what was held out and on the others, beside "
        "neurons, a difference of means and random directions.",
        "Explore, the panel Kinds of instance",
        ("AUROC", "Held out", "Random control"),
    ),
    Entry(
        "F1",
        "How well a feature finds a concept, misses and false alarms counted together: 1 is "
        "perfect, 0 never right.",
        "A feature that fires on 80% of the mentions of a country, and on nothing else, has an "
        "F1 of 0.89. It is scored on text that was not used to choose the feature.",
        "Explore, the panel Completeness",
        ("Completeness", "Held out"),
        ("Least F1",),
    ),
)
