"""What an index is made from, and what its file says of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.ends import End
from sae_desktop.features.building.contexts import Slots
from sae_desktop.features.building.parts import PartsSource
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.index_text import IndexText
from sae_desktop.features.reading.layout import IndexInfo, OtherModel, Pieces
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.project import Project, config_record
from sae_desktop.training.measuring.splice import model_of
from sae_desktop.training.rows.dictionary_rows import dictionary_ends, site_of

_LOOKED_AT = 1 << 16
"""Rows whose tokens tell whether their model knows tokens of text at all."""


@dataclass(frozen=True)
class Material:
    """What an index is written from."""

    project: Project
    config: IndexConfig
    dictionary: Dictionary
    digest: str
    stores: Sequence[ActivationStore]
    """That of the first model, and those of the same tokens through the others."""

    @property
    def path(self) -> Path:
        return self.project.index_path(self.config.name)

    @property
    def store(self) -> ActivationStore:
        return self.stores[0]

    @cached_property
    def inputs(self) -> tuple[End, ...]:
        return dictionary_ends(self.dictionary, site_of(self.dictionary, self.store))[0]

    @cached_property
    def outputs(self) -> tuple[End, ...]:
        return dictionary_ends(self.dictionary, site_of(self.dictionary, self.store))[1]


def model_of_index(store: ActivationStore, device: str) -> LanguageModel | None:
    """Return the model whose logits and neurons an index has.

    None for imported activations, and for an encoder of pictures, which has no tokens of text.
    Raises UserError when it is not here, or another one is in its place.
    """
    pictures = store.pictures
    if len(pictures) and int(store.tokens[:_LOOKED_AT].max(initial=-1)) < 0:
        return None
    return model_of(store, device)


def slots_of(config: IndexConfig) -> Slots:
    """Return which contexts of a feature are kept."""
    return Slots(
        config.top_contexts, config.buckets, config.bucket_contexts, config.bucket_scheme,
        config.seed, config.context_reach,
    )  # fmt: skip


def parts_source(
    material: Material, firings: StoredFirings, arrays: Mapping[str, npt.NDArray[Any] | Pieces],
    lm: LanguageModel | None, scratch: Path,
) -> PartsSource:  # fmt: skip
    """Return what the parts of an index are computed from; `arrays` are its figures."""
    density = arrays["columns/density"]
    assert isinstance(density, np.ndarray)
    return PartsSource(
        project=material.project,
        config=material.config,
        firings=firings,
        texts=firings.texts,
        density=density,
        dictionary=material.dictionary,
        lm=lm,
        stores=material.stores,
        inputs=material.inputs,
        outputs=material.outputs,
        scratch=scratch,
    )


def info_of(
    material: Material, firings: StoredFirings, text: IndexText, *, neurons: bool,
    whole_rows: int = 0,
) -> IndexInfo:  # fmt: skip
    """Return what the file of an index says it was made from.

    `neurons`: they were compared; `whole_rows`: see `IndexInfo`.
    """
    config, store, texts = material.config, material.store, firings.texts
    return IndexInfo(
        dictionary=config.dictionary,
        dictionary_hash=material.digest,
        model=store.info.model,
        model_revision=store.info.model_revision,
        model_origin=store.info.model_origin,
        tokenizer_hash=store.info.tokenizer_hash,
        model_dtype=store.info.model_dtype,
        site=material.inputs[0].site,
        inputs=material.inputs,
        outputs=material.outputs,
        other_models=tuple(_other_model(other) for other in material.stores[1:]),
        activations=texts[0].activations,
        other_activations=texts[0].other_activations,
        corpus=texts[0].corpus,
        texts=texts,
        rows=text.rows,
        whole_rows=whole_rows,
        massive_rows=firings.massive_rows,
        features=firings.features,
        buckets=config.buckets,
        bucket_scheme=config.bucket_scheme,
        context_tokens=config.context_tokens,
        context_reach=config.context_reach,
        languages=text.languages.names,
        sources=text.sources.names,
        neuron_rows=config.neuron_rows if neurons else 0,
        bos_prepended=store.info.bos_prepended,
        config=config_record(config),
    )


def _other_model(store: ActivationStore) -> OtherModel:
    info = store.info
    return OtherModel(
        name=info.model,
        revision=info.model_revision,
        origin=info.model_origin,
        tokenizer_hash=info.tokenizer_hash,
        dtype=info.model_dtype,
    )
