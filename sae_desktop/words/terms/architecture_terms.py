"""Architectures of dictionaries, and what a dictionary reads and writes."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

ARCHITECTURE_TERMS = (
    Entry(
        "Architecture",
        "How a dictionary decides which features are active on a row.",
        "All read a row, switch features on and rebuild the row from their directions. They "
        "differ in the switch. If in doubt, keep the default, Matryoshka BatchTopK.",
        "Train, in the settings",
        ("TopK", "BatchTopK", "JumpReLU", "Matryoshka BatchTopK"),
    ),
    Entry(
        "Start from",
        "A dictionary of the project that a training begins with, instead of random directions.",
        "Before its first step the run is that dictionary exactly, whatever program it came from. "
        "It is measured on the new rows first, and again at the end. On another model or site it "
        "is worse than it was at home: look whether it beats a training from random directions.",
        "Train, in the settings",
        ("Run", "Dead feature"),
        ("Trained further from", "FVU before, after"),
    ),
    Entry(
        "TopK",
        "An architecture that keeps the k largest activations of every row and no others.",
        "L0 is k exactly, whether a row is simple or not. There is no penalty and so no shrinkage.",
        "Train, under Architecture",
        ("k", "BatchTopK"),
    ),
    Entry(
        "BatchTopK",
        "An architecture that keeps k activations per row on average over a batch.",
        "Simple rows get fewer features and rich ones more, which reproduces both better than "
        "TopK does. When it is used, a threshold learnt in training takes the batch’s place.",
        "Train, under Architecture",
        ("TopK", "k"),
        ("Threshold memory",),
    ),
    Entry(
        "Matryoshka BatchTopK",
        "A BatchTopK dictionary of nested parts, the first of which must do well by themselves.",
        "General features come first and are kept: “animals” is not swallowed up by “dogs” and "
        "“cats”, as happens in large dictionaries otherwise. This costs a little FVU.",
        "Train, under Architecture",
        ("BatchTopK", "Splitting"),
        ("Matryoshka",),
    ),
    Entry(
        "Matryoshka by frequency",
        "A Matryoshka BatchTopK whose innermost part holds the features active most often.",
        "Which these are is found out during training, and k begins higher than it ends. Each "
        "part learns from what the parts before it have left over, without changing them. The "
        "finished dictionary is used, and given to other programs, like any BatchTopK one.",
        "Train, under Architecture",
        ("Matryoshka BatchTopK", "k", "Splitting"),
    ),
    Entry(
        "LISTA step",
        "How much of what a first reading of a row leaves over is read once more.",
        "Features of similar direction are easily taken for one another. After one step of LISTA "
        "(a network that unrolls sparse coding) a feature that others had already explained falls "
        "silent, and one that was missed fires. It is learnt with the dictionary. In return every "
        "row takes two products instead of one, the features depend on one another, and other "
        "libraries cannot open the dictionary.",
        "Train, under Sparsity",
        ("BatchTopK", "Leave one out", "Architecture"),
    ),
    Entry(
        "Leave one out",
        "A check, when a row is read, that each active feature is needed beside all the others.",
        "What a feature would have to explain if it were the only one missing is compared with "
        "its threshold; one that explains too little is silenced. Nothing is trained for it. It "
        "takes features with thresholds. At 0.8, in a small world of known features "
        "(SynthSAEBench, three seeds), the F1 of JumpReLU rose from .66 to .72 and that of Gated "
        "from .71 to .79, while an eighth of the active features fell silent and the error hardly "
        "changed.",
        "Train, under Sparsity",
        ("LISTA step", "Threshold"),
    ),
    Entry(
        "JumpReLU",
        "An architecture in which every feature learns its own threshold, below which it is 0.",
        "Above the threshold an activation is kept as it is, so that nothing shrinks. The "
        "dictionaries of Gemma Scope are of this kind.",
        "Train, under Architecture",
        ("λ", "Shrinkage"),
    ),
    Entry(
        "Gated",
        "An architecture in which a gate says which features are on and another part how strongly.",
        "Only the gate pays for sparsity, so that activations do not shrink.",
        "Train, under Architecture",
        ("Shrinkage", "λ"),
    ),
    Entry(
        "Standard (L1)",
        "The oldest architecture: a ReLU and a penalty on the sum of activations.",
        "It is simple and comparable with older work; its activations come out too small.",
        "Train, under Architecture",
        ("L1 penalty", "Shrinkage"),
        ("ReLU",),
    ),
    Entry(
        "Target",
        "What a dictionary has to rebuild: the row it reads, or what another site makes of it.",
        "“The input itself” is a sparse autoencoder and the right choice for a first one.",
        "Train, in the settings",
        ("Sparse autoencoder", "Transcoder", "Crosscoder"),
    ),
    Entry(
        "Transcoder",
        "A dictionary that reads one site and predicts another, such as what an MLP makes of "
        "its input.",
        "Its features are steps of a computation: what sets one off can be read at the input, "
        "what it does at the output.",
        "Train, under Target",
        ("Skip transcoder", "Cross-layer transcoder", "Site"),
    ),
    Entry(
        "Skip transcoder",
        "A transcoder with a straight path beside its features for all that is linear.",
        "The features are left with what is not linear and are fewer for it.",
        "Train, under Target",
        ("Transcoder",),
    ),
    Entry(
        "Cross-layer transcoder",
        "A transcoder whose features read one layer and write to the MLPs’ outputs from there on.",
        "A computation that takes several layers becomes one feature, and not a copy in each "
        "layer.",
        "Train, under Target",
        ("Transcoder", "Layer"),
    ),
    Entry(
        "Set of transcoders",
        "A transcoder for each layer of a model, or one cross-layer transcoder, kept together.",
        "With all MLPs expressed in features, a prompt can be traced from its words to the next "
        "token. A set is trained, indexed, brought in and exported as one thing; each of its "
        "layers can be read in Explore like any dictionary.",
        "Train, under Target; Project; Circuits",
        ("Transcoder", "Cross-layer transcoder", "Layer"),
        ("Transcoder for each layer", "Sets of transcoders", "Cross-layer transcoder, as a set"),
    ),
    Entry(
        "Skip connection",
        "A linear map beside the features of a transcoder, from what it reads to what it writes.",
        "What the MLP does to every token alike is left to it, so that the features stand for "
        "the rest.",
        "Train, for a set",
        ("Skip transcoder", "Set of transcoders"),
    ),
    Entry(
        "Crosscoder",
        "One dictionary for several layers, or for several models that read the same text.",
        "It shows which features layers share, or what a fine-tuned model has that the original "
        "had not.",
        "Train, under Target",
        ("Target", "Layer"),
        ("Second store",),
    ),
    Entry(
        "Subtract the mean",
        "Whether the mean row is taken away before training, so that features describe what "
        "varies.",
        "It helps where the mean is large compared with the spread, as at many sites it is.",
        "Train, in the settings",
        ("Outlier dimension",),
    ),
)
