"""What a model is, read off its configuration: no weights are loaded or fetched."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription
from sae_desktop.language_model.files import find_model
from sae_desktop.language_model.load import context_size, load_config
from sae_desktop.language_model.sites import Site, list_sites, text_config


def describe_model(config: DescribeModelConfig, context: JobContext) -> ModelDescription:
    """Return a model's shape and its sites.

    Raises UserError for a model that cannot be found or is no decoder.
    """
    context.progress(0, 1, "models", "Reading the configuration")
    files = find_model(config.model, fetch=False)
    model = empty_model(load_config(files), files.name)
    settings = text_config(model)
    layers = int(settings.num_hidden_layers)
    return ModelDescription(
        name=files.name,
        architecture=type(model).__name__,
        layers=layers,
        width=int(settings.hidden_size),
        vocabulary=int(settings.vocab_size),
        context_size=context_size(settings),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        sites=list_sites(model),
        default_site=str(Site(layers // 2, "hook_resid_post")),
        cached=any(
            next(files.folder.glob(pattern), None)
            for pattern in ("*.safetensors", "*.gguf", "*.bin")
        ),
    )


def empty_model(config: Any, name: str) -> Any:
    """Return the model's modules without memory for their weights."""
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise UserError(
            f"“{name}” is no language model that continues a text.",
            next_step="Choose a decoder-only language model, such as a Llama, Qwen or GPT-2.",
        ) from error
