"""What a model's card says. Free of Qt."""

from __future__ import annotations

from sae_desktop.language_model.config import ModelDescription
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import exact_count, short_count

PRECISIONS = (
    ("auto", "Auto"),
    ("float32", "float32"),
    ("bfloat16", "bfloat16"),
    ("float16", "float16"),
    ("8bit", "8 bit"),
    ("4bit", "4 bit"),
)
DEVICES = (
    ("auto", "Auto"),
    ("cpu", "CPU"),
    ("cuda", "CUDA"),
    ("mps", "MPS"),
    ("split", "Split across devices"),
)
ENCODER_TEXT = (
    "An encoder: it reads a text as a whole and does not predict what comes next, so there "
    "is no loss to measure."
)
PROMPT_TEXT = (
    "It reads a prompt, pictures and words, as a whole and in both directions, so there is no "
    "loss to measure."
)
PICTURES_TEXT = (
    "An encoder of pictures: it reads a picture as a whole, and neither reads nor writes words."
)


def reading_text(model: ModelDescription) -> str:
    """Return in which way a model reads, and what; "" of one that reads text left to right."""
    if model.reads == "pictures":
        ways = [PICTURES_TEXT]
    elif model.reads == "both":
        ways = ["It reads text and pictures."] + ([] if model.causal else [PROMPT_TEXT])
    else:
        ways = [] if model.causal else [ENCODER_TEXT]
    return " ".join([*ways, model.picture_note]).strip()


def model_figures(model: ModelDescription) -> list[tuple[str, str]]:
    """Return (what, figure) of a model; what its files do not say is left out."""
    figures = [
        ("Architecture", model.architecture),
        ("Layers × width", f"{model.layers} × {exact_count(model.width)}"),
    ]
    if model.heads:
        figures.append(("Heads", _heads(model)))
    if model.mlp_width:
        figures.append(("MLP neurons", f"{exact_count(model.mlp_width)} per layer"))
    if model.experts:
        figures.append(("Experts", f"{exact_count(model.experts)} per layer"))
    if model.context_size:
        figures.append(("Context", f"{exact_count(model.context_size)} tokens"))
    if model.vocabulary:
        figures.append(("Vocabulary", f"{exact_count(model.vocabulary)} tokens"))
    if model.parameters:
        figures.append(("Parameters", short_count(model.parameters)))
    if model.disk_bytes:
        figures.append(("On disk", format_bytes(model.disk_bytes)))
    special = [token for token in (model.bos_token, model.eos_token) if token]
    if special:
        figures.append(("Special tokens", " ".join(dict.fromkeys(special))))
    if model.cached and model.reads != "pictures":
        figures.append(("Chat template", "yes" if model.chat_template else "none"))
    return figures


def _heads(model: ModelDescription) -> str:
    shared = model.key_value_heads
    if not shared or shared == model.heads:
        return str(model.heads)
    return f"{model.heads}, {shared} for keys and values"


def memory_fits(model: ModelDescription) -> bool:
    """Whether the weights fit; True where it is not known."""
    return not model.free_memory_bytes or model.fits


def memory_text(model: ModelDescription) -> str:
    """Return memory needed against memory there is, in words; empty where it is not known."""
    if not model.memory_bytes:
        return ""
    where = f" on {_the(model.device)}" if model.device else ""
    kind = f" as {model.dtype}" if model.dtype else ""
    need = f"{format_bytes(model.memory_bytes)} of memory{kind}"
    if not model.free_memory_bytes:
        return f"Takes {need}{where}."
    free = format_bytes(model.free_memory_bytes)
    if memory_fits(model):
        return f"Takes {need}; {free} are free{where}."
    return (
        f"Does not fit: it takes {need}, and {free} are free{where}. "
        "Choose fewer bits, another device, or a smaller model."
    )


def _the(device: str) -> str:
    return "the CPU" if device == "cpu" else device


def code_text(model: ModelDescription) -> str:
    """Return what the model's own program code means for the person; empty: it has none."""
    if not model.code_files or model.code_trusted:
        return ""
    files = ", ".join(model.code_files)
    count = "1 program file" if len(model.code_files) == 1 else f"{len(model.code_files)} files"
    return (
        f"This model brings program code of its own ({count}: {files}) and cannot be loaded "
        f"without it. That code can do anything you can do on this machine: read and delete "
        f"your files, use the network. Run it only if you trust who made it. If the code "
        "changes, you are asked again."
    )
