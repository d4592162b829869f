"""Which class opens a model, and its modules without memory for their weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.claims import check_size
from sae_desktop.language_model.files.code import ModelCode, code_of
from sae_desktop.language_model.files.find import (
    ModelFiles,
    stored_of,
    stored_weights,
    weight_files,
    weights_there,
)
from sae_desktop.language_model.files.gguf_header import read_header
from sae_desktop.language_model.files.trust import check_code
from sae_desktop.language_model.pictures.families import encoder_of

_KIND = (
    "Choose a language model such as Llama, Qwen or GPT-2, an encoder such as BERT, or a model "
    "that reads pictures, such as SmolVLM, LLaVA, CLIP or DINOv2."
)


def needed_code(files: ModelFiles) -> ModelCode:
    """Return the code a model needs, if any, trusted or not."""
    return ModelCode(files.folder) if files.gguf else code_of(files.folder)


def trusted_code(files: ModelFiles) -> ModelCode:
    """Return the code a model needs, if any. Raises UserError for code that may not be run."""
    code = needed_code(files)
    check_code(files.name, code)
    return code


def loading_options(files: ModelFiles) -> dict[str, Any]:
    """Return how transformers is to read a model: from its folder alone, and no code without
    consent.

    Raises UserError for code that may not be run.
    """
    options: dict[str, Any] = {
        "local_files_only": True,
        "trust_remote_code": trusted_code(files).needed,
    }
    return options | ({"gguf_file": files.gguf} if files.gguf else {})


def load_config(files: ModelFiles) -> Any:
    """Return a model's configuration. Raises UserError for one that is unknown or broken."""
    options = loading_options(files)
    try:
        config = AutoConfig.from_pretrained(files.folder, **options)
    except Exception as error:
        raise cannot_open(files, error) from error
    encoder = encoder_of(config)
    if encoder is not None and encoder.part:  # its other half reads text
        config = getattr(config, encoder.part)
    # Where code is looked for, which the file itself must not say.
    config.name_or_path = str(files.folder)
    # transformers would fetch such a kernel, which is compiled code, from the hub and run it.
    kernel = getattr(config, "_attn_implementation", None)
    if isinstance(kernel, str) and "/" in kernel:
        raise UserError(
            f"The configuration of “{files.name}” asks for program code from elsewhere, the "
            f"attention kernel “{kernel}”, which is never run.",
            next_step=f"Remove attn_implementation from {files.folder / 'config.json'}.",
        )
    return config


def predicts_next(config: Any, code: ModelCode) -> bool:
    """Whether a model predicts the next token; an encoder such as BERT does not.

    BERT and its kin can be opened as decoders too, and are ones only where they say so.
    """
    if code.needed:
        return code.causal
    if encoder_of(config) is not None:
        return False
    text = config.get_text_config()
    # A decoder turned into an encoder, such as EmbeddingGemma.
    if getattr(text, "use_bidirectional_attention", False) in (True, "all"):
        return False
    # A model of images too may be known by its own name, or by that of its language part.
    kinds = {config.model_type, text.model_type}
    if _answers_pictures(config):
        return True
    if not kinds & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        return False
    if config.is_encoder_decoder:  # the decoder alone can be opened where it was stored alone
        return _named(config).endswith("ForCausalLM")
    encoders = kinds & set(MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    return not encoders or bool(getattr(config, "is_decoder", False))


def model_class(files: ModelFiles, config: Any) -> Any:
    """Return the transformers class that opens a model.

    Raises UserError for a model that is neither a decoder nor an encoder of text.
    """
    causal = predicts_next(config, needed_code(files))
    if config.is_encoder_decoder and not causal:
        raise UserError(
            f"“{files.name}” is an encoder-decoder model ({config.model_type}), which cannot be "
            "opened.",
            next_step=_KIND,
        )
    if _answers_pictures(config):
        return AutoModelForImageTextToText
    return AutoModelForCausalLM if causal else AutoModel


def _answers_pictures(config: Any) -> bool:
    """Whether a model writes about pictures and has no class that takes them for text alone."""
    return (
        not config.is_encoder_decoder
        and config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        and config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )


def empty_model(files: ModelFiles, config: Any) -> Any:
    """Return a model's modules without memory for their weights.

    Raises UserError for what is not a model of text or pictures, and for code that may not be run.
    """
    opener = model_class(files, config)
    trusted = loading_options(files)["trust_remote_code"]
    try:
        with torch.device("meta"):
            model = opener.from_config(config, trust_remote_code=trusted)
    except Exception as error:
        raise cannot_open(files, error) from error
    _check_size(files, config, model)
    if encoder_of(config) is None and (
        model.main_input_name != "input_ids"
        or not isinstance(_input_embeddings(model), nn.Embedding)
    ):
        raise _no_text(files)
    return model


def vocabulary_rows(model: Any) -> int:
    """Return the rows of a model's embeddings of tokens; 0 of an encoder of pictures."""
    found = _input_embeddings(model)
    return int(found.weight.shape[0]) if isinstance(found, nn.Embedding) else 0


def _check_size(files: ModelFiles, config: Any, model: Any) -> None:
    """Raise UserError for a model that its weights cannot be of, where these are here."""
    if files.gguf:
        path = files.folder / files.gguf
        check_size(path, model, stored_of(path, read_header(path)), packed=False)
    elif weights_there(files):
        packed = getattr(config, "quantization_config", None) is not None
        stored = stored_weights(weight_files(files.folder))
        check_size(files.folder / "config.json", model, stored, packed=packed)


def setting(files: ModelFiles, config: Any, name: str) -> int:
    """Return a figure of a configuration. Raises UserError where it has none of that name."""
    found = getattr(config, name, None)
    if not isinstance(found, int):
        raise UserError(
            f"The configuration of “{files.name}” does not give its {name}.", next_step=_KIND
        )
    return found


def _input_embeddings(model: Any) -> Any:
    try:
        return model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        return None


def _named(config: Any) -> str:
    return str((getattr(config, "architectures", None) or [""])[0])


def cannot_open(files: ModelFiles, error: Exception) -> UserError:
    """Return what stopped transformers, in a person's words."""
    if isinstance(error, UserError):
        return error
    text, whole = first_line(error), str(error)
    if isinstance(error, KeyError | ValueError) and (
        "model type" in whole or "architecture" in whole or "model_type" in whole
    ):
        return UserError(
            f"“{files.name}” has an architecture that cannot be opened: {text}",
            next_step=_KIND,
        )
    if "Unrecognized configuration class" in whole:
        return _no_text(files)
    if isinstance(error, ImportError):
        return UserError(
            f"“{files.name}” needs a library that is not installed: {text}",
            next_step="Install it alongside sae-desktop, and try again.",
        )
    return UserError(
        f"The model “{files.name}” cannot be opened: {text}",
        next_step="Copy or download the model again with all of its files.",
    )


def _no_text(files: ModelFiles) -> UserError:
    return UserError(f"“{files.name}” is not a language model.", next_step=_KIND)


def first_line(error: Exception) -> str:
    """Return the beginning of what an error says, as one sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(". ") + "."
