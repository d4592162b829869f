"""What a sizing needs to know of a model: read off its files without weights, or told by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sae_desktop.errors import UserError
from sae_desktop.exchange.fits import published_model
from sae_desktop.exchange.gallery import catalogue
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.files.weights import weights_needed
from sae_desktop.language_model.network import empty_model, load_config, vocabulary_rows
from sae_desktop.language_model.quantise import resolve_dtype, rest_dtype
from sae_desktop.language_model.sites.resolve import (
    Site,
    check_site,
    decoder_layers,
    parse_site,
    site_width,
    text_config,
)
from sae_desktop.sizing.config import SizeConfig

_FLOAT, _LOW = 4, 2
_PER_LAYER = 12
"""Weights of a layer over the square of its width: four for attention, eight for the MLP."""
_VOCABULARY = 128_000
"""Tokens, of a model that is told by its numbers."""
_MLP = 4
"""Neurons over the width, of such a model."""


@dataclass(frozen=True)
class ModelFacts:
    """A model and where it is read."""

    name: str
    site: str
    width: int
    """Numbers per token at the site."""
    parameters: int
    weight_bytes: int
    """In memory, where it is sized for."""
    layers: int
    """That a token passes up to the site."""
    layer_parameters: int
    """Of these layers."""
    stream: int
    """Width of the model's stream."""
    neurons: int
    """Of the MLPs of these layers together."""
    vocabulary: int
    guessed: bool = False
    """Whether its layers are worked out from width and parameters alone."""


def facts_of(config: SizeConfig, *, on_card: bool) -> ModelFacts:
    """Return what is known of the model; `on_card`: its weights are in bfloat16.

    Raises UserError for a model that is neither here nor told by its numbers, and for a site that
    it lacks.
    """
    if config.width and config.parameters:
        return by_hand(config, config.width, config.parameters, on_card=on_card)
    try:
        files = find_model(config.model)
    except UserError as error:
        width, parameters = _published(config)
        if not (width and parameters):
            raise UserError(
                error.what,
                next_step="Get the model, or give its width and its number of parameters.",
            ) from error
        return by_hand(config, width, parameters, on_card=on_card)
    settings = load_config(files)
    network: Any = empty_model(files, settings)
    layers = decoder_layers(network)
    site = parse_site(config.site) if config.site else Site(len(layers) // 2, "hook_resid_post")
    check_site(network, site)
    count = site.layer + (0 if site.hook == "hook_resid_pre" else 1)
    device = resolve_device("auto")
    dtype = "bfloat16" if on_card else resolve_dtype("auto", device, files, settings)
    rest = "bfloat16" if on_card else rest_dtype(device, files, settings)
    return ModelFacts(
        name=files.name,
        site=str(site),
        width=config.width or site_width(network, site),
        parameters=sum(p.numel() for p in network.parameters()),
        weight_bytes=weights_needed(files, settings, network, dtype, rest),
        layers=count,
        layer_parameters=sum(p.numel() for layer in layers[:count] for p in layer.parameters()),
        stream=int(text_config(network).hidden_size),
        neurons=sum(_neurons(network, number) for number in range(count)),
        vocabulary=vocabulary_rows(network),
    )


def _neurons(network: Any, layer: int) -> int:
    try:
        return site_width(network, Site(layer, "mlp.hook_post"))
    except UserError:
        return 0  # as in a mixture of experts, which the index does not compare with


def _published(config: SizeConfig) -> tuple[int, int]:
    """Return width and parameters of a model of the catalogue; 0 where they are not known."""
    known = published_model(config.model)
    width = next((f.width for f in catalogue() if f.model == config.model), 0)
    return config.width or width, config.parameters or (known.parameters if known else 0)


def by_hand(config: SizeConfig, width: int, parameters: int, *, on_card: bool) -> ModelFacts:
    """Return the facts of a model of usual shape, read after its middle layer."""
    all_layers = max(1, round(parameters / (_PER_LAYER * width**2)))
    layers = all_layers // 2 + 1
    return ModelFacts(
        name=config.model if config.model != "builtin" else "model by its numbers",
        site="",
        width=width,
        parameters=parameters,
        weight_bytes=(_LOW if on_card else _FLOAT) * parameters,
        layers=layers,
        layer_parameters=parameters * layers // max(layers, all_layers),
        stream=width,
        neurons=layers * _MLP * width,
        vocabulary=_VOCABULARY,
        guessed=True,
    )
