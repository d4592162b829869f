"""What finding features by two text sets is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

import msgspec

from sae_desktop.limits import Count, CountOrNone, Folds, Seed, ShareBelow1

THRESHOLD = 0.1


class FindFeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="find_features"):
    """Find the features that are active on the texts of A and on none of B."""

    project: str
    index: str
    on: list[str]
    """A: texts on which a feature is active."""
    off: list[str]
    """B: texts on which it is not."""
    on_pictures: list[str] = []
    """Files of pictures that are of A, too, after its texts."""
    off_pictures: list[str] = []
    threshold: ShareBelow1 = THRESHOLD
    """Active: the largest activation on the text is above this share of the feature's maximum."""
    missed: CountOrNone = 0
    """How many of the A texts may lack it."""
    count: Count = 50
    """Features reported at most."""
    classify: bool = False
    """Also train a sparse linear classifier, beside one on the raw activations."""
    folds: Folds = 5
    seed: Seed = 0
    device: str = "auto"


class FoundFeature(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    margin: float
    """How much weaker it is on B than on A, in shares of its maximum: see `find_features`."""
    on: list[float]
    """Its largest activation on each text of A, and then on each of its pictures."""
    off: list[float]
    tokens: list[str]
    """Where it is largest in each of A, of a picture the row and column; empty: nowhere."""


class ClassifierScore(msgspec.Struct, frozen=True, kw_only=True):
    """Held-out scores of a classifier over the folds."""

    inputs: str
    """features, or raw activations."""
    balanced_accuracy: float
    spread: float
    """Standard deviation over the folds."""
    auc: float
    """Mean over the folds."""
    used: int
    """Inputs with a weight other than 0, trained on all texts."""
    folds: int = 0
    """Parts that were held out in turn; 0: not told."""
    auc_low: float | None = None
    auc_high: float | None = None
    """Ends of its 95% interval, for other texts of the two kinds (`auroc.py`); null: not told."""

    def sentence(self) -> str:
        """Return the scores in words, and what the figure after ± is."""
        sure = ""
        if self.auc_low is not None and self.auc_high is not None:
            sure = f", 95% interval {self.auc_low:.3f}–{self.auc_high:.3f}"
        of = (
            "; the interval is for other texts of these two kinds, texts that are alike counted "
            "as one"
        )
        return (
            f"Classifier on {self.inputs}: balanced accuracy {self.balanced_accuracy:.3f} ± "
            f"{self.spread:.3f}, AUROC {self.auc:.3f}{sure} (means over {self.folds} parts held "
            f"out in turn; ±: standard deviation between parts{of if sure else ''}); "
            f"{self.used:,} inputs used"
        )


class FeatureWeight(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    weight: float
    """Above 0: speaks for A. Per share of the feature's maximum."""


class FindFeaturesResult(msgspec.Struct, frozen=True, kw_only=True):
    found: list[FoundFeature]
    total: int
    """Features that met the conditions, those not reported too."""
    classifiers: list[ClassifierScore] = []
    weights: list[FeatureWeight] = []
    """Of the classifier on features, the largest first."""
    warning: str = ""
    """Why the scores are not to be trusted; empty: nothing speaks against them."""
