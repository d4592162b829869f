"""What stands in a benchmark of dictionaries."""

from __future__ import annotations

from sae_desktop.words.terms.entry import Entry

_WHERE = "Train: Benchmarks; the command benchmark"
BENCHMARK_TERMS = (
    Entry(
        "Benchmark",
        "Dictionaries measured alike, on the same rows and texts, beside dictionaries that learnt "
        "nothing.",
        "A low FVU alone says little: principal components reach it, too. Beside it stand what a "
        "few features tell of texts, whether general features are absorbed, and whether the same "
        "features come out again from another seed. Scores by removing concepts (TPP, SCR) are "
        "left out: they have been shown to mislead (arXiv 2605.18229).",
        _WHERE,
        ("Recipe", "Sparse probe", "Absorption", "PW-MCC"),
        ("Benchmarks",),
    ),
    Entry(
        "Recipe",
        "All settings of a training but its seed: dictionaries of one recipe differ by chance "
        "alone.",
        "Figures of one recipe are means over its seeds. How far the seeds differ says how much of "
        "a difference between two recipes is chance.",
        _WHERE,
        ("Benchmark", "Seed"),
        ("Recipes",),
    ),
    Entry(
        "Sparse probe",
        "Accuracy with which k features alone tell the labels of texts that were held out; higher "
        "is better, 0.5 is chance.",
        "The k features are those whose mean activations differ most between texts learnt from; "
        "a logistic regression joins them (SAEBench). A probe on all raw activations is its rival, "
        "and often better: a dictionary is worth something where few features do nearly as well.",
        _WHERE,
        ("Benchmark", "Held out"),
        ("Sparse probes", "Raw probe", "Probes"),
    ),
    Entry(
        "Absorption",
        "A general feature is silent where a more special one says the same: “begins with s” on "
        "“snake”; less is better.",
        "It is measured by the first letters of words, whose truth is known (Chanin et al., 2024). "
        "A probe on raw activations must tell the letters first; where the model does not hold "
        "them, there is nothing to be absorbed, and no figure.",
        _WHERE,
        ("Benchmark", "Sparse probe"),
    ),
    Entry(
        "Absorbed",
        "Share of a first letter’s direction that other features carry in place of the letter’s "
        "own, mean over words; lower is better.",
        "Other features count where they lie along the letter’s direction (cosine 0.1 and more), "
        "the three largest of them, and where they carry at least 0.4 of it.",
        _WHERE,
        ("Absorption", "Fully absorbed"),
        ("Absorbed share",),
    ),
    Entry(
        "Fully absorbed",
        "Share of words on which all features of the first letter are silent and one other speaks "
        "for it; lower is better.",
        "The one other must carry at least 0.4 of what the raw activations have in the letter’s "
        "direction.",
        _WHERE,
        ("Absorption", "Absorbed"),
    ),
    Entry(
        "PW-MCC",
        "How alike the features of two seeds are: mean |cosine| of features paired one to one; "
        "higher is better, 1 is the same.",
        "The mean over all pairs of seeds (Song et al., 2025). Random directions have some by "
        "chance alone, and more the fewer dimensions there are: compare with their row.",
        _WHERE,
        ("Benchmark", "Recipe", "Return in all seeds"),
    ),
    Entry(
        "Return in all seeds",
        "Share of features of which every other seed of the recipe has one of nearly the same "
        "direction; higher is better.",
        "Nearly the same is a cosine of at least 0.7, unless another was chosen. What returns is a "
        "matter of the model; what does not may be one of chance.",
        _WHERE,
        ("PW-MCC", "Return in no seed", "Recipe"),
    ),
    Entry(
        "Return in no seed",
        "Share of features that no other seed of the recipe has; lower is better.",
        "Such a feature may still mean something, but training again would not bring it back.",
        _WHERE,
        ("Return in all seeds", "PW-MCC"),
    ),
    Entry(
        "F1 of true features",
        "How well features detect the true features nearest to them, where the truth is known: "
        "mean F1; higher is better, 1 is perfect.",
        "On synthetic activations, made from features that are known (SynthSAEBench). Each feature "
        "is held against the true one of the nearest direction; one that never fires counts as 0.",
        _WHERE,
        ("Benchmark", "MCC", "Uniqueness"),
    ),
    Entry(
        "MCC",
        "How alike features and true features are, paired one to one: mean |cosine|; higher is "
        "better, 1 is perfect.",
        "On synthetic activations, of all pairings the one that makes it largest. Random "
        "directions have some by chance: compare with their row.",
        _WHERE,
        ("F1 of true features", "PW-MCC"),
    ),
    Entry(
        "Uniqueness",
        "Share of features whose nearest true feature no other one shares; higher is better.",
        "At 50%, half of the dictionary says again what another feature says already.",
        _WHERE,
        ("F1 of true features", "MCC"),
    ),
    Entry(
        "Principal components",
        "Directions of the greatest variance, which take no training: a control for what any "
        "directions reach.",
        "Each stands for two features, one for either sign. A threshold makes them fire as often "
        "as the dictionary. They reconstruct well and mean little, which is why FVU alone does not "
        "prove quality.",
        _WHERE,
        ("Benchmark",),
        ("PCA",),
    ),
)
