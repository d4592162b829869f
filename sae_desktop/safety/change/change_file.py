"""A comparison of checkpoints on disk, `changes/<name>.h5`. Free of torch and Qt.

M checkpoints, the first the one the others are compared with; F features of the dictionary, V
tokens of the vocabulary, C features of the crosscoder. What was not asked for is not there.

    features/mean        (M, F) float32  mean activation over all tokens
    features/density     (M, F) float32
    features/effect      (M, F) float32  by how much the loss rises without it, nats per token
    features/size        (M, F) float32  change of its mean, in standard deviations over texts
    features/q           (M, F) float32  p of that change, corrected for all features
    features/cosine      (M, F) float32  of its direction with the difference at the first tokens
    tokens/lens          (M, V) float32  the difference at the first tokens, read as logits
    tokens/beyond        (M, V) float32  the same in standard deviations of random directions
    tokens/shift         (M, V) float32  mean change of the log probability since the one before
    crosscoder/norm      (C, M) float32  of the decoder in each checkpoint
    crosscoder/scaling   (C, M) float32  Latent Scaling
    crosscoder/depends   (C, M) float32  share of the activation lost where one is masked
    crosscoder/cosine    (C,) float32    the least between two checkpoints that have the feature
    crosscoder/density   (C,) float32
    crosscoder/stable    (C,) float32    cosine with the most alike feature of the other seeds
    crosscoder/kind      (C,) uint8      number of KINDS
    crosscoder/birth, death (C,) int16   the first and the last checkpoint that has it
    info                 (n,) uint8      `ChangeInfo` as JSON
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.safety.change.config import CheckpointFigures
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, MappedFile, extents

KIND = "change"
SCHEMA_VERSION = 1
KINDS = ("dead", "shared", "rotated", "exclusive", "doubtful", "partial")
LEVEL = 0.01
"""Of the false discovery rate at which a feature counts as changed."""

Array = npt.NDArray[Any]
_FEATURES = ("mean", "density", "effect", "size", "q", "cosine")
_TOKENS = ("lens", "beyond", "shift")
_CROSS = ("norm", "scaling", "depends")
ARRAYS: dict[str, Accepted] = {
    **{f"features/{name}": Accepted(FLOATS, ("M", "F"), needed=False) for name in _FEATURES},
    **{f"tokens/{name}": Accepted(FLOATS, ("M", "V"), needed=False) for name in _TOKENS},
    **{f"crosscoder/{name}": Accepted(FLOATS, ("C", "M"), needed=False) for name in _CROSS},
    **{
        f"crosscoder/{name}": Accepted(FLOATS, ("C",), needed=False)
        for name in ("cosine", "density", "stable")
    },
    **{
        f"crosscoder/{name}": Accepted(WHOLE, ("C",), needed=False)
        for name in ("kind", "birth", "death")
    },
}
"""What a reader takes. Nothing else is written or mapped."""
_TYPES = {"crosscoder/kind": "u1", "crosscoder/birth": "i2", "crosscoder/death": "i2"}
_INFO = {"info": Accepted(np.dtype("u1"), ("bytes",))}


class TraitFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trait on a checkpoint; angles in degrees, AUROCs on held-out texts."""

    trait: str
    angle: float
    """Between its direction here and on the first checkpoint."""
    angle_by_chance: float
    """Between two draws of the texts on the first checkpoint."""
    projection: float
    """How far ordinary text moved along the first direction: 1 is from one class to the other."""
    projection_p: float
    projection_random: float
    """95% of random directions move less far."""
    auroc_first: float
    """Of the first checkpoint's direction."""
    auroc_own: float
    probe_angle: float
    probe_auroc_first: float
    probe_auroc_own: float


class TokenScore(msgspec.Struct, frozen=True):
    token: str
    score: float
    beyond: float | None = None
    """Of a token read off a direction: how far its logit lies from those of random directions, in
    their standard deviations."""


class FeatureContext(msgspec.Struct, frozen=True, kw_only=True):
    """Where a feature fires most on a checkpoint."""

    feature: int
    checkpoint: int
    """−1: all at once, of a feature of the crosscoder."""
    tokens: list[str]
    activations: list[float]


class SteeredTexts(msgspec.Struct, frozen=True, kw_only=True):
    """What the last checkpoint writes after the same beginnings."""

    prompts: list[str]
    plain: list[str]
    steered: list[str]
    """With the difference of the first tokens added."""
    random: list[str]
    """With a random direction as long."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint makes of a beginning."""

    next_tokens: list[TokenScore]
    """The likeliest, with their probabilities."""
    written: str
    """What follows if it always writes the likeliest token."""


class ChangeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found, but for its arrays."""

    name: str
    site: str
    dictionary: str = ""
    checkpoints: list[CheckpointFigures]
    traits: list[list[TraitFigures]] = []
    """By checkpoint."""
    lens_tokens: list[list[TokenScore]] = []
    """By checkpoint, the first of the difference read as logits."""
    shift_tokens: list[list[TokenScore]] = []
    """By checkpoint, those that became more likely, the first most."""
    contexts: list[FeatureContext] = []
    crosscoder_contexts: list[FeatureContext] = []
    steered: SteeredTexts | None = None
    prompts: list[str] = []
    answers: list[list[Answer]] = []
    """By checkpoint, to each of the prompts."""
    warnings: list[str] = []
    texts: int
    context_size: int
    seconds: float = 0.0
    read: int = 0
    """Models that were read in that time; 0: all."""
    config: str = ""
    made_at: str = ""


class Change:
    """A comparison, its arrays mapped from the file."""

    def __init__(self, info: ChangeInfo, arrays: Mapping[str, Array]) -> None:
        """Raises ValueError where the arrays do not fit the checkpoints."""
        self.info = info
        self.arrays = arrays
        count = len(info.checkpoints)
        for name, found in arrays.items():
            axis = 1 if name in {f"crosscoder/{part}" for part in _CROSS} else 0
            if "M" in ARRAYS[name].shape and found.shape[axis] != count:
                raise ValueError(f"“{name}” is not of {count} checkpoints")
        kind = arrays.get("crosscoder/kind")
        if kind is not None and len(kind) and int(kind.max()) >= len(KINDS):
            raise ValueError("a feature of the crosscoder has an unknown kind")

    def ranked_features(self, checkpoint: int = -1) -> Array:
        """Return features, those whose mean changed most surely first."""
        size = self.arrays["features/size"][checkpoint]
        return np.asarray(np.argsort(-np.abs(size), kind="stable"))

    def changed(self, checkpoint: int = -1) -> Array:
        """Return the features that changed, corrected for all, in that order."""
        order = self.ranked_features(checkpoint)
        return np.asarray(order[self.arrays["features/q"][checkpoint][order] <= LEVEL])

    def crosscoder_features(self, kind: str) -> Array:
        """Return the crosscoder's features of a kind, the most often active first."""
        found = np.flatnonzero(self.arrays["crosscoder/kind"] == KINDS.index(kind))
        return found[np.argsort(-self.arrays["crosscoder/density"][found], kind="stable")]


def write_change(path: Path, info: ChangeInfo, arrays: Mapping[str, Array]) -> None:
    """Write a comparison in one step. Raises UserError when the disk is full."""
    kept = {name: np.ascontiguousarray(a, _TYPES.get(name, "f4")) for name, a in arrays.items()}
    Change(info, kept)
    with replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {})
        # No attribute: those of HDF5 end at 64 kB.
        file.create_dataset("info", data=np.frombuffer(msgspec.json.encode(info), np.uint8))
        for name, values in kept.items():
            file.create_dataset(name, data=values)


def read_change(path: Path) -> Change:
    """Open a comparison. Raises UserError when it is missing, damaged or of a newer version."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        try:
            mapped = MappedFile(path, extents(path, file, ARRAYS | _INFO)).arrays
            arrays = {name: np.asarray(found) for name, found in mapped.items()}
            info = msgspec.json.decode(arrays.pop("info").tobytes(), type=ChangeInfo)
            return Change(info, arrays)
        except (KeyError, ValueError, IndexError, RecursionError) as error:
            raise UserError(
                f"The comparison “{path.stem}” is damaged: {error}.",
                next_step="Make it again under another name, or restore it from a copy.",
            ) from error
