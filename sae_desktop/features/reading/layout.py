"""What an index holds, to the key. Free of torch and Qt.

`features/<name>.h5`, all datasets contiguous, so that readers map them. F features, C context
slots, N of whatever is kept of a kind, V tokens of the vocabulary, R rows (tokens of text),
G languages, S sources, I inputs and O outputs of the dictionary:

    columns/<name>                     (F,)       the figures of `columns.py` that were measured
    histogram/counts                   (F, BINS)  activations above 0, linear from 0 to the maximum
    contexts/row                       (F, C)     the chosen row; −1: an empty slot
    contexts/activation                (F, C)     float32, the activation there
    contexts/bucket                    (C,)       TOP_BUCKET, or the bucket, 1…B from the bottom
    contexts/edges                     (F, B+1)   bounds of the buckets, float32
    contexts/offsets                   (F·C+1,)   slot s of feature f has the firings
                                                  offsets[f·C+s] : offsets[f·C+s+1] of the next two
    contexts/positions, values         (n,)       int16 row − chosen row, float16 activation: all
                                                  firings in the same passage within ± the reach
    logits/top_ids, top_values, bottom_ids, bottom_values   (F, N)  raw effects
    logits/median                      (F,)       over the vocabulary; subtracted: median-centred
    logits/token_offsets, token_features   (V+1,), (n,)   token t is among the top of
                                                  token_features[token_offsets[t]:token_offsets[t+1]]
    neighbours/ids, cosines            (F, N)     −1: fewer than N
    coactive/ids, pearson, share       (F, N)     most correlated features of the same dictionary;
                                                  share: of the feature's firings, those on which
                                                  the other fires too; −1: fewer than N
    languages/counts, sums, tokens     (F, G), (F, G), (G,)  firings and their activations'
                                                  sum; rows of the text in all
    sources/counts, sums, tokens       (F, S), (F, S), (S,)
    firing_tokens/ids, counts, sums    (F, N)     tokens on which it fires most often, how often,
                                                  and their activations' sum; −1: fewer
    neurons/layers, ids, pearson       (F, N)     most correlated neurons; −1: fewer than N
    parts/strength                     (F, O)     how strongly it writes to each output: ‖W_dec‖
                                                  there, in that site's typical norms, its
                                                  strongest output being 1
    parts/typical                      (O,)       that norm: the median of the site's rows, or,
                                                  where the store lacks them, of what the
                                                  dictionary writes there
    parts/logit_spread                 (F, O)     what an activation of 1 does to the logits through
                                                  that output alone: their standard deviation over
                                                  the vocabulary; NaN: its model was not there
    parts/logit_top_ids, logit_top_values, logit_bottom_ids, logit_bottom_values   (F, O, N)
                                                  raw effects; −1 where it does not write
    parts/neighbour_ids, neighbour_cosines   (F, O, N)  by what is written there alone; −1: fewer
    parts/functional                   (F, I)     where it lives: the share of its activation that
                                                  is lost where one input alone is at its mean,
                                                  averaged over firings; NaN: it never fired
    aligned/offsets                    (F+1,)     by feature, over the documents of a group in
    aligned/documents, rows, maxima    (n,)       several languages: where it fires most in each
    tokens                             (R,)
    passages                           (P,)       PASSAGE_DTYPE, ascending, all rows covered
    windows, read_before               (windows,) first row of each, and how many tokens the model
                                                  read before it that another window has
    documents                          (D,)       DOCUMENT_DTYPE
    vocabulary/bytes, offsets                     token i is bytes[offsets[i]:offsets[i+1]]
    picture, picture_token             (R,)       of which of Q pictures a row is, and which of its
                                                  tokens; −1 of a row of text
    pictures                           (Q,)       PICTURE_DTYPE, as a store has it; rows and
                                                  documents are the index's
    picture_data                       (n,)       their records and small copies

Rows, tokens and documents are signed whole numbers, of as few bytes (two, four or eight) as hold
them. Groups that were not measured (no model: no logits, no neurons) are not there; older indexes
have no sums. `parts/…` are there where a dictionary has several outputs, `parts/functional` where
any of its features may read several inputs. `neighbours/…` and the map are by all outputs together,
each in its typical norms; `logits/…` by all of the first model's that add to the stream, or by the
last one that replaces it.
Where the text has pictures, a context of one of their rows holds all that fires in that picture,
and the slots of the bucket OTHER_KIND come last. The names of languages and sources stand in the
info, an attribute of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.dictionary.ends import End
from sae_desktop.features.config import REACH, BucketScheme
from sae_desktop.features.reading.columns import COLUMNS
from sae_desktop.features.reading.picture_arrays import PICTURE_ARRAYS
from sae_desktop.features.stages import StageTime
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.language_model.names import ModelMark
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, write_header
from sae_desktop.storage.mapped import FLOATS, NUMBERS, WHOLE, Accepted

KIND = "features"
SCHEMA_VERSION = 2
TOP_BUCKET = 0
"""Slots of bucket 0 hold the strongest places; bucket b ≥ 1 is the b-th from the bottom."""
OTHER_KIND = -1
"""Slots of this bucket hold the strongest places of the kind, pictures or text, of which fewer are
among the strongest of all, those left out that are there already."""
BINS = 50
_STAGES = "stages"
MANY_SOURCES = 64
"""Of more sources (a folder of files has one a file) only the largest are told apart."""
OTHER = "other"
"""The name under which the rest is counted."""

PASSAGE_DTYPE = np.dtype(
    [
        ("first_row", "<i8"),
        ("length", "<i8"),
        ("document", "<i8"),  # row of /documents
        ("offset", "<i8"),  # tokens of the document before this passage
    ]
)
"""Rows that follow one another in one document; mostly a whole document."""

DOCUMENT_DTYPE = np.dtype(
    [
        ("ordinal", "<i8"),  # place in the corpus
        ("source", "S160"),
        ("language", "S16"),
        ("title", "S160"),
        ("group", "S160"),  # documents of one group say the same in several languages
    ]
)

Array = npt.NDArray[Any]

MEASURED = ("density", "max_activation", "mean_activation")
"""Columns that every index has."""


def _optional(of: str, *shape: str) -> Accepted:
    return Accepted(of, shape, needed=False)


ARRAYS: dict[str, Accepted] = {
    **{
        f"columns/{column.name}": Accepted(NUMBERS, ("F",), needed=column.name in MEASURED)
        for column in COLUMNS
    },
    "histogram/counts": Accepted(NUMBERS, ("F", "bins")),
    "contexts/row": Accepted(WHOLE, ("F", "C")),
    "contexts/activation": Accepted(FLOATS, ("F", "C")),
    "contexts/bucket": Accepted(WHOLE, ("C",)),
    "contexts/edges": Accepted(FLOATS, ("F", "B+1")),
    "contexts/offsets": Accepted(WHOLE, ("F*C+1",)),
    "contexts/positions": Accepted(WHOLE, ("n",)),
    "contexts/values": Accepted(FLOATS, ("n",)),
    **dict.fromkeys(("logits/top_ids", "logits/bottom_ids"), _optional(WHOLE, "F", "L")),
    **dict.fromkeys(("logits/top_values", "logits/bottom_values"), _optional(FLOATS, "F", "L")),
    "logits/median": _optional(FLOATS, "F"),
    "logits/token_offsets": _optional(WHOLE, "V+1"),
    "logits/token_features": _optional(WHOLE, "t"),
    "neighbours/ids": _optional(WHOLE, "F", "N"),
    "neighbours/cosines": _optional(FLOATS, "F", "N"),
    "coactive/ids": _optional(WHOLE, "F", "A"),
    "coactive/pearson": _optional(FLOATS, "F", "A"),
    "coactive/share": _optional(FLOATS, "F", "A"),
    "languages/counts": _optional(NUMBERS, "F", "G"),
    "languages/tokens": _optional(NUMBERS, "G"),
    "sources/counts": _optional(NUMBERS, "F", "S"),
    "sources/tokens": _optional(NUMBERS, "S"),
    "languages/sums": _optional(NUMBERS, "F", "G"),
    "sources/sums": _optional(NUMBERS, "F", "S"),
    "firing_tokens/ids": _optional(WHOLE, "F", "W"),
    "firing_tokens/counts": _optional(NUMBERS, "F", "W"),
    "firing_tokens/sums": _optional(NUMBERS, "F", "W"),
    "neurons/layers": _optional(WHOLE, "F", "K"),
    "neurons/ids": _optional(WHOLE, "F", "K"),
    "neurons/pearson": _optional(FLOATS, "F", "K"),
    "parts/strength": _optional(FLOATS, "F", "O"),
    "parts/typical": _optional(FLOATS, "O"),
    "parts/logit_spread": _optional(FLOATS, "F", "O"),
    **dict.fromkeys(
        ("parts/logit_top_ids", "parts/logit_bottom_ids"), _optional(WHOLE, "F", "O", "LO")
    ),
    **dict.fromkeys(
        ("parts/logit_top_values", "parts/logit_bottom_values"), _optional(FLOATS, "F", "O", "LO")
    ),
    "parts/neighbour_ids": _optional(WHOLE, "F", "O", "NO"),
    "parts/neighbour_cosines": _optional(FLOATS, "F", "O", "NO"),
    "parts/functional": _optional(FLOATS, "F", "I"),
    "aligned/offsets": _optional(WHOLE, "F+1"),
    "aligned/documents": _optional(WHOLE, "a"),
    "aligned/rows": _optional(WHOLE, "a"),
    "aligned/maxima": _optional(FLOATS, "a"),
    "tokens": Accepted(WHOLE, ("T",)),
    "passages": Accepted(PASSAGE_DTYPE, ("P",)),
    "windows": _optional(WHOLE, "windows"),
    "read_before": _optional(WHOLE, "windows"),
    "documents": Accepted(DOCUMENT_DTYPE, ("D",)),
    "vocabulary/bytes": Accepted(np.dtype("u1"), ("bytes",)),
    "vocabulary/offsets": Accepted(WHOLE, ("V+1",)),
    **PICTURE_ARRAYS,
}
"""What a reader takes; F, B, G and S are told by the info. Nothing else is written or mapped."""


class TextSource(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a store that an index has read, in the order of the index's rows."""

    activations: str
    corpus: str
    first_row: int
    rows: int
    other_activations: tuple[str, ...] = ()
    """The stores of the same tokens through the other models that the dictionary reads."""


class OtherModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a dictionary of several reads beside the first."""

    name: str
    revision: str = ""
    origin: str = ""
    tokenizer_hash: str = ""
    dtype: ModelDtype = "auto"

    @property
    def mark(self) -> ModelMark:
        return ModelMark(self.name, self.revision, self.tokenizer_hash)


class IndexInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an index was made from; an attribute of its file."""

    dictionary: str
    dictionary_hash: str = ""
    """Of the weights, to tell a dictionary from another of its name."""
    model: str
    model_revision: str = ""
    """Its identity; empty in indexes of earlier versions, and where it is not known."""
    model_origin: str = ""
    tokenizer_hash: str = ""
    model_dtype: ModelDtype = "auto"
    site: str
    """What the dictionary reads; of several sites the first."""
    inputs: tuple[End, ...] = ()
    """All that it reads; empty in indexes of earlier versions: see `reads`."""
    outputs: tuple[End, ...] = ()
    """All that it writes; empty in indexes of earlier versions."""
    other_models: tuple[OtherModel, ...] = ()
    """Those of its sites whose source is 1, 2 …"""
    activations: str
    """The store; of several texts' the first."""
    other_activations: tuple[str, ...] = ()
    """The first text's stores of the other models."""
    corpus: str
    texts: list[TextSource] = []
    rows: int
    whole_rows: int = 0
    """Of how many it is to be, while it is not finished: it then lacks whatever takes long, and is
    written again when that is made. 0: it is finished."""
    massive_rows: int = 0
    """Rows over ten times the median norm, counted as silent."""
    features: int
    buckets: int
    bucket_scheme: BucketScheme = "linear"
    context_tokens: int = 32
    """Tokens of a context as it is shown at first."""
    context_reach: int = REACH
    """Rows on either side of a chosen one whose firings are kept."""
    languages: list[str] = []
    sources: list[str] = []
    neuron_rows: int = 0
    """Rows on which neurons were compared; 0: they were not."""
    bos_prepended: bool
    config: str

    @property
    def mark(self) -> ModelMark:
        """The model it was made with."""
        return ModelMark(self.model, self.model_revision, self.tokenizer_hash)

    @property
    def reads(self) -> tuple[End, ...]:
        """What the dictionary reads; of an earlier index one site, its width unknown (0)."""
        return self.inputs or (End(self.site, 0),)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, by source."""
        return (self.model, *(other.name for other in self.other_models))


@dataclass(frozen=True)
class Pieces:
    """An array (n,) that is written piece by piece, for it need not fit the memory."""

    length: int
    dtype: np.dtype[Any]
    pieces: Iterable[Array]
    """Together `length` long."""


def write_index(path: Path, info: IndexInfo, arrays: Mapping[str, Array | Pieces]) -> None:
    """Write an index in one step: it is there whole, or as it was.

    Raises UserError when the disk is full.
    """
    with replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        for name, values in arrays.items():
            if name not in ARRAYS:
                raise KeyError(f"{name} is not one of the arrays of an index")
            if isinstance(values, Pieces):
                _write_pieces(file, name, values)
            else:
                file.create_dataset(name, data=values)


def write_stages(path: Path, stages: Sequence[StageTime]) -> None:
    """Say in the file of an index, which nobody has open, how long its making took."""
    with explained(path), h5py.File(path, "r+", locking=False) as file:
        file.attrs[_STAGES] = msgspec.json.encode(list(stages)).decode()


def stages_of(file: h5py.File) -> tuple[StageTime, ...]:
    """Return what took how long when an index was made; nothing where it does not say."""
    try:
        return msgspec.json.decode(str(file.attrs.get(_STAGES, "[]")), type=tuple[StageTime, ...])
    except msgspec.MsgspecError:
        return ()


def _write_pieces(file: h5py.File, name: str, values: Pieces) -> None:
    dataset = file.create_dataset(name, (values.length,), values.dtype)
    place = 0
    for piece in values.pieces:
        dataset[place : place + len(piece)] = piece
        place += len(piece)
