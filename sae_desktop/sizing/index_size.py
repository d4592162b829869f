"""How much memory and disk an index takes: arithmetic, free of torch.

F features, R rows, k features active on a row, C contexts of a feature. The sizes are those of
the arrays of `features.reading.layout` and `firing_files`.
"""

from __future__ import annotations

from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.columns import COLUMNS
from sae_desktop.features.reading.firing_files import ENTRIES
from sae_desktop.features.reading.layout import BINS, DOCUMENT_DTYPE
from sae_desktop.training.planning.needs import PROGRAM_BYTES
from sae_desktop.training.planning.preflight_config import Need

_FLOAT = 4
DOCUMENT_TOKENS = 400
"""Of a usual document."""
_LISTS = 4 * 10 * 4 + 10 * 4 + 4 + 2 * 10 * 4 + 3 * 10 * 4 + 3 * 10 * 4 + 3 * 3 * 4
"""Bytes of a feature's ten top and bottom logits and tokens, neighbours, co-active features, tokens
it fires on, and three neurons."""
_PER_CONTEXT = 4 + 4 + 4
"""Of each: its row, its activation, where its firings begin."""
_PER_NEIGHBOUR_FIRING = 2 + 2
_NAME = 180
"""Bytes of a feature's name."""
FIRING_BYTES = 20
"""Of a firing that is kept: row, value and token by feature; feature and value by row."""
_ROW_BYTES = 4
_CELLS = 2**26
"""Activations or cosines at once."""
_BLOCK_ROWS = 1024
_GROUP_COPIES = 3 * 12
"""Bytes of a firing of the group in memory, as it is collected, joined and sorted."""
_UNSORTED = 8
"""Bytes of a firing that lies by row on the disk while co-activations are found."""


def contexts_of(config: IndexConfig) -> int:
    """Return C."""
    return config.top_contexts + config.buckets * config.bucket_contexts


def feature_bytes(config: IndexConfig, features: int, k: float) -> float:
    """Return the bytes that an index has of each feature, its name included.

    A context holds the firings of its feature in the document around it: one more for each
    time that a feature of mean density fires there, twice as many where it is strong.
    """
    around = 1 + 2 * k / features * min(DOCUMENT_TOKENS, 2 * config.context_reach + 1)
    contexts = contexts_of(config) * (_PER_CONTEXT + _PER_NEIGHBOUR_FIRING * around)
    return _FLOAT * (len(COLUMNS) + BINS) + _LISTS + contexts + _NAME


def index_disk(config: IndexConfig, features: int, rows: int, k: float) -> list[Need]:
    """Return what an index leaves on the disk, and what is there only while it is made."""
    firings = rows * k
    documents = rows / DOCUMENT_TOKENS * DOCUMENT_DTYPE.itemsize
    needs = [
        ("features", feature_bytes(config, features, k) * features),
        ("text", rows * _ROW_BYTES + documents),
        ("kept activations", FIRING_BYTES * firings if config.keep_firings else 0.0),
        ("meanwhile", (_UNSORTED + (0 if config.keep_firings else FIRING_BYTES)) * firings),
    ]
    return [Need(what=what, bytes=round(count)) for what, count in needs if count]


def index_memory(
    config: IndexConfig, features: int, width: int, rows: int, k: float, model_bytes: int,
    layer_neurons: int,
) -> list[Need]:  # fmt: skip
    """Return what the making of an index holds in memory at its peak.

    `layer_neurons`: of one layer's MLP. The largest of what comes and goes is counted.
    """
    weights = 2.0 * features * width * _FLOAT
    block = 2 * min(_BLOCK_ROWS * features, max(_CELLS, features)) * _FLOAT
    group = min(ENTRIES, rows * k) * _GROUP_COPIES
    cosines = 2 * min(_CELLS, features**2) * _FLOAT + features * width * _FLOAT
    neurons = min(config.neuron_rows, rows) * layer_neurons * _FLOAT
    passing = max(block + group, cosines, neurons)
    needs = [
        ("dictionary", weights),
        ("model", model_bytes),
        ("figures of all features", feature_bytes(config, features, k) * features),
        ("blocks that come and go", passing),
        ("program", PROGRAM_BYTES),
    ]
    return [Need(what=what, bytes=round(count)) for what, count in needs if count]
