"""The options that describe a harvest, for every command that takes one."""

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
        "Column of the texts; of several, as “body | review”, the first that a table has. None: "
        "found by its name.",
    ),
    Choice(
        "chat_column",
        _TEXT,
        "Column of messages, or a pair such as “prompt + response”, put through the model's chat "
        "template; none: found where there is no column of texts.",
    ),
    Choice("deduplicate", _TEXT, "Leave out exact duplicates of earlier documents."),
    Choice(
        "skip_limit",
        _TEXT,
        "Share of rows that may be left out because they cannot be read; 0: none.",
    ),
    Choice("seed", _TEXT, "Order of the documents."),
    Choice("order", _TEXT, "Mix documents across the whole corpus, or read file after file."),
    Choice("context_size", _TEXT, "Tokens in a window."),
    Choice(
        "overlap",
        _TEXT,
        "Tokens a window repeats from the one before, as context only: rows kept have at least "
        "this many before them in their document.",
    ),
    Choice("packing", _TEXT, "Windows of one document each, or filled up with the next."),
    Choice("bos", _TEXT, "Begin each window with the BOS token."),
    Choice("special_tokens", _TEXT, "Whether <|names|> in a text are tokens or letters."),
)
"""How a corpus is read, whatever it is."""
HARVEST_CHOICES = (
    Choice("model", _MODEL, "builtin, smollm2, a folder, a .gguf file, a hub name."),
    Choice("model_dtype", _MODEL, "Precision the model computes in."),
    Choice("device", _MODEL, "auto, cpu, cuda, cuda:1, mps, split (over several)."),
    Choice(
        "sites",
        _MODEL,
        "Where to read; may be repeated. None: the model's middle layer.",
        name="--site",
    ),
    Choice("corpus", _TEXT, "builtin, a file, a folder, or a dataset's name on the hub."),
    *READING_CHOICES,
    Choice("tokens", _STORE, "Rows to have; asking for more extends the store."),
    Choice("keep_first", _STORE, "Keep the row of each window's first token."),
    Choice("dtype", _STORE, "Number format of the stored rows; int8 has one scale per row."),
    Choice("batch_tokens", _RUN, "Tokens per forward pass; 0: the fastest."),
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
"""Of a harvest that a training consumes: its sites, amount and seed are the training's."""
