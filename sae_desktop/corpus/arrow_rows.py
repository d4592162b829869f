"""Arrow's rows as Python's, as many at a time as memory is meant for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sae_desktop.corpus.decoding import LINE_LIMIT
from sae_desktop.corpus.records import BadRowError

# What a value takes in memory beside what it holds.
_VALUE = 100
# A single row is converted by itself, so that it may be longer than a line of a table of text.
_MOST = 4 * LINE_LIMIT
# Of several rows that are converted together.
_TOGETHER = 8 << 20


def python_rows(
    batch: Any, place: Callable[[int], str], number: int
) -> Iterator[dict[str, Any] | BadRowError]:
    """Yield the rows of a batch; one that is too long or damaged comes as the reason for that.

    A dictionary's value may stand in millions of rows: it is copied for each as it is converted,
    so that few rows are converted at once. `number`: of the row before the batch's first.
    """
    import pyarrow

    size = sum(_bytes(column) for column in batch.columns)
    if batch.num_rows > 1 and size > _TOGETHER:
        yield from _halves(batch, place, number)
        return
    if size > _MOST:
        for row in range(1, batch.num_rows + 1):
            yield BadRowError(
                f"{place(number + row)} takes {size / 1e6:,.0f} MB, more than the "
                f"{_MOST / 1e6:,.0f} MB that a row may take.",
                next_step="Cut it into several rows, or choose another column.",
            )
        return
    try:
        # Offsets and numbers of values are not checked as a file is opened, only followed.
        batch.validate(full=True)
        yield from batch.to_pylist()
    except (pyarrow.ArrowInvalid, pyarrow.ArrowIndexError, ValueError, OverflowError) as error:
        if batch.num_rows > 1:
            yield from _halves(batch, place, number)
            return
        yield BadRowError(
            f"{place(number + 1)} is damaged: {str(error).splitlines()[0].rstrip('.')}.",
            next_step="Correct that row, or copy or download the file again.",
        )


def _halves(
    batch: Any, place: Callable[[int], str], number: int
) -> Iterator[dict[str, Any] | BadRowError]:
    half = batch.num_rows // 2
    yield from python_rows(batch.slice(0, half), place, number)
    yield from python_rows(batch.slice(half), place, number + half)


def _bytes(array: Any) -> int:
    """Return about how much memory the values of an array take, each copied by itself.

    What cannot be told without following it is taken for more than any row may take.
    """
    from pyarrow import types

    kind = array.type
    count = len(array)
    if types.is_dictionary(kind):
        return _VALUE * count + _repeated(array)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        views = np.frombuffer(array.buffers()[1], "<i4")
        lengths = views[4 * array.offset : 4 * (array.offset + count) : 4]
        return _VALUE * count + int(lengths.astype(np.int64).sum())
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        return _VALUE * count + (_listed(array) if count else 0)
    if types.is_struct(kind):
        children = (array.field(number) for number in range(kind.num_fields))
        return _VALUE * count + sum(map(_bytes, children))
    if types.is_nested(kind) or types.is_run_end_encoded(kind):
        return _MOST * max(count, 1) + 1
    if types.is_string(kind) or types.is_binary(kind):
        return _VALUE * count + _span(array, "<i4")
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return _VALUE * count + _span(array, "<i8")
    if types.is_fixed_size_binary(kind):
        return count * (_VALUE + int(kind.byte_width))
    return _VALUE * count


def _offsets(array: Any, kind: str) -> np.ndarray[Any, np.dtype[Any]]:
    stored = array.buffers()[1]
    found = np.frombuffer(stored, kind) if stored is not None and stored.size else np.zeros(0)
    return found[array.offset : array.offset + len(array) + 1]


def _span(array: Any, kind: str) -> int:
    """Return the bytes of texts that lie one after the other."""
    offsets = _offsets(array, kind)
    return max(0, int(offsets[-1]) - int(offsets[0])) if len(offsets) else 0


def _listed(array: Any) -> int:
    """Return what the values of lists take."""
    from pyarrow import types

    offsets = _offsets(array, "<i8" if types.is_large_list(array.type) else "<i4")
    if not len(offsets):
        return 0
    first, last = int(offsets[0]), int(offsets[-1])
    values = (array.keys, array.items) if types.is_map(array.type) else (array.values,)
    return sum(_bytes(part.slice(max(first, 0), max(last - first, 0))) for part in values)


def _repeated(array: Any) -> int:
    """Return what the values of a dictionary take, each as often as it stands in the array."""
    from pyarrow import types

    values = array.dictionary
    kind = values.type
    if types.is_string(kind) or types.is_binary(kind):
        offsets = _offsets(values, "<i4")
    elif types.is_large_string(kind) or types.is_large_binary(kind):
        offsets = _offsets(values, "<i8")
    elif types.is_primitive(kind):
        return 0
    else:
        return _MOST * max(len(array), 1) + 1
    lengths = np.diff(offsets.astype(np.int64))
    indices = array.indices.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
    inside = indices[(indices >= 0) & (indices < len(lengths))]
    return int(lengths[inside].sum())
