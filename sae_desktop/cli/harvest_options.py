"""The options that describe a harvest, for every command that runs one."""

from __future__ import annotations

from sae_desktop.cli.config_options import Choice

_MODEL = "Model"
_TEXT = "Text"
_STORE = "Store"
_RUN = "Run"
STREAM_PANEL = "Training while harvesting"

READING_CHOICES = (
    Choice("subset", _TEXT, "Configuration of a hub dataset."),
    Choice("split", _TEXT, "Split of a dataset that has several."),
    Choice(
        "text_column",
        _TEXT,
        "Column of the texts; given several, as in “body | review”, the first that a table has. "
        "Default: recognised by its name.",
    ),
    Choice(
        "chat_column",
        _TEXT,
        "Column of messages, or a pair such as “prompt + response”, put through the model's chat "
        "template. Default: looked for if there is no column of texts.",
    ),
    Choice("deduplicate", _TEXT, "Leave out exact duplicates of earlier documents."),
    Choice(
        "skip_limit",
        _TEXT,
        "Largest share of rows that may be left out because they cannot be read; 0: none.",
    ),
    Choice("seed", _TEXT, "Order of the documents."),
    Choice("order", _TEXT, "Mix documents across the whole corpus, or read file after file."),
    Choice("context_size", _TEXT, "Tokens in a window."),
    Choice(
        "overlap",
        _TEXT,
        "Tokens a window repeats from the one before, as context only: each row kept has at "
        "least this many before it in its document.",
    ),
    Choice("packing", _TEXT, "One document per window, or filled with one document after another."),
    Choice("bos", _TEXT, "Begin each window with the BOS token."),
    Choice(
        "special_tokens", _TEXT, "Whether <|names|> in a text are read as tokens or as letters."
    ),
)
"""How a corpus of any kind is read."""
HARVEST_CHOICES = (
    Choice("model", _MODEL, "builtin, smollm2, a folder, a .gguf file, or owner/name on the hub."),
    Choice("model_dtype", _MODEL, "Precision the model computes in."),
    Choice("device", _MODEL, "auto, cpu, cuda, cuda:1, mps, split (over several)."),
    Choice(
        "sites",
        _MODEL,
        "Site to read; may be repeated. Default: the model's middle layer.",
        name="--site",
    ),
    Choice("corpus", _TEXT, "builtin, a file, a folder, or the name of a dataset on the hub."),
    *READING_CHOICES,
    Choice("tokens", _STORE, "Rows the store is to hold; asking for more extends it."),
    Choice("keep_first", _STORE, "Keep the row of each window's first token."),
    Choice("dtype", _STORE, "Number format of the stored rows; int8 has one scale per row."),
    Choice("batch_tokens", _RUN, "Tokens per forward pass; 0: fastest that fits."),
    Choice("commit_seconds", _RUN, "Time between commits."),
)
_OF_STREAM = (
    "model", "model_dtype", "corpus", "subset", "split", "text_column", "chat_column",
    "deduplicate", "skip_limit", "order", "context_size", "overlap", "packing", "bos",
    "special_tokens", "keep_first", "batch_tokens",
)  # fmt: skip
STREAM_CHOICES = tuple(
    choice._replace(panel=STREAM_PANEL) for choice in HARVEST_CHOICES if choice.field in _OF_STREAM
)
"""For a harvest that a training consumes: its sites, amount and seed are the training's."""
