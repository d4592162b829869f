"""A training as it is set, as a question of what it will take here and elsewhere."""

from __future__ import annotations

from sae_desktop.sizing.config import SizeConfig
from sae_desktop.training.config import TrainConfig
from sae_desktop.words.inventory import StoreItem


def sizing_of(train: TrainConfig, store: StoreItem | None) -> SizeConfig:
    """Return the sizing of a training on a store, or while harvesting.

    Of imported activations, whose model is not known, it has their width.
    """
    stream = train.stream
    model = stream.model if stream else store.model if store else ""
    sites = train.sites or ((stream.site,) if stream else (store.site,) if store else ())
    return SizeConfig(
        model=model or SizeConfig().model,
        site=sites[0] if model and sites else "",
        width=store.width if store and not model else 0,
        tokens=train.tokens,
        features=train.features,
        architecture=train.architecture,
        k=train.k,
        batch=train.batch,
        precision=train.precision,
        dtype=store.harvest.dtype if store and store.harvest else SizeConfig().dtype,
        stream=stream is not None,
    )
