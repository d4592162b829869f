"""What features are called where they are listed: their label, or else their automatic name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.project_notes import Notes

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]


def order_of_names(index: FeatureIndex, notes: Notes | None) -> Array:
    """Return the features that have a label or an automatic name in the order of these names.

    Case is left aside; a name that is shown in quotation marks stands under what is in them.
    """
    names = {feature: name for feature, name in enumerate(index.short_names()) if name}
    if notes is not None:
        labels = notes.shown_labels(index.info.dictionary)
        names |= {feature: text for feature, text in labels if feature < index.features}
    keys = {feature: name.casefold().lstrip("“\"‘'( ") for feature, name in names.items()}
    return np.array(sorted(keys, key=lambda feature: (keys[feature], feature)), dtype=np.int64)


def automatically_named(index: FeatureIndex) -> Array:
    """Return (F,) whether a feature has an automatic name."""
    offsets = index.short_names().offsets
    if len(offsets) != index.features + 1:
        return np.zeros(index.features, dtype=bool)
    named: Array = np.diff(offsets) > 0
    return named
