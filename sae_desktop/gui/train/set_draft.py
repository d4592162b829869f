"""A set as it is set up: its kinds, its layers as typed, and what keeps it from being trained.

Free of Qt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.errors import UserError
from sae_desktop.project import checked_name
from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.config import Target, TrainConfig
from sae_desktop.training.set_config import SetEstimate, TrainSetConfig
from sae_desktop.training.sets.set_plan import layers_with_sites, plan_set
from sae_desktop.training.settings_check import setting_problems
from sae_desktop.training.usual import passes_text
from sae_desktop.words.amounts import exact_count, short_count
from sae_desktop.words.inventory import SetItem, StoreItem
from sae_desktop.words.set_words import layers_text

SETS: tuple[tuple[SetKind, str, str], ...] = (
    (
        "transcoders",
        "Transcoder for each layer",
        "A set for Circuits: each layer’s MLP, from what it reads to what it writes, in features.",
    ),
    (
        "cross_layer",
        "Cross-layer transcoder, as a set",
        "A set for Circuits: one dictionary whose features read at one layer’s MLP and write at "
        "that of every later layer, too. It takes far more memory than a transcoder for each.",
    ),
)
"""(kind, title, what it is): what a target can be besides those of one dictionary."""
UNFIT = (
    "The store lacks what a set is trained on, the MLP’s input and output of each layer: train "
    "while harvesting, or harvest mlp.hook_in and hook_mlp_out of every layer."
)
_MARK = "\0set:"
_MOST_LAYERS = 1_000
_RANGE = re.compile(r"(\d{1,4})(?:\s*(?:–|-|\.\.|…)\s*(\d{1,4}))?")


def usual_architecture(kind: SetKind | None) -> str:
    """Return the architecture that is offered first.

    Of a set one whose features depend on their own weights alone once they are trained.
    """
    return TrainConfig(project="", name="").architecture if kind is None else "batchtopk"


def set_target(kind: SetKind) -> str:
    """Return what stands for a set among the targets."""
    return f"{_MARK}{kind}"


def kind_of(target: object) -> SetKind | None:
    """Return the kind of set that stands among the targets; None for one dictionary."""
    return next((kind for kind, _, _ in SETS if target == set_target(kind)), None)


def member_target(kind: SetKind, *, skip: bool) -> Target:
    """Return the target of a set’s dictionaries."""
    if kind == "cross_layer":
        return "cross_layer_transcoder"
    return "skip_transcoder" if skip else "transcoder"


def set_explanation(field: str, kind: SetKind) -> str:
    """Return a setting’s line where it says something else of a set; empty: it does not."""
    if field == "target":
        return next(about for own, _, about in SETS if own == kind)
    return {
        "activations": "The store to learn from, with the MLP’s input and output of each layer.",
        "features": "Of each layer: how many directions it learns.",
        "name": "The set’s name in the project.",
    }.get(field, "")


def parse_layers(text: str) -> tuple[int, ...]:
    """Return the layers of a list such as “0–11, 14”; none of an empty one: all of the model.

    Raises UserError for what is not such a list.
    """
    found: set[int] = set()
    for part in filter(None, re.split(r"[,;]", text)):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise UserError(f"“{part.strip()}” is not a layer. Write, for example, 0–11, 14.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last > _MOST_LAYERS:
            raise UserError(f"“{part.strip()}” is not a range of layers. Write, for example, 0–11.")
        found |= set(range(first, last + 1))
    return tuple(sorted(found))


def set_name(config: TrainSetConfig) -> str:
    """Return what a set is called by default, such as “transcoders-1024”."""
    kind = "transcoders" if config.kind == "transcoders" else "cross-layer"
    return f"{kind}-{config.train.features}"


def resumes_set(config: TrainSetConfig, item: SetItem) -> bool:
    """Return whether training with `config` would take up an unfinished set."""
    return not item.complete and item.train is not None and _bare(item.train) == _bare(config)


def _bare(config: TrainSetConfig) -> TrainSetConfig:
    """Return a set’s settings without what does not tell one training from another."""
    train = msgspec.structs.replace(
        config.train,
        project="",
        name="",
        target="input",
        sites=(),
        output_sites=(),
        device="auto",
        stream=_same_stream(config.train),
    )
    return msgspec.structs.replace(config, project="", train=train)


def _same_stream(train: TrainConfig):
    if train.stream is None:
        return None
    # The sites follow from the set.
    return msgspec.structs.replace(train.stream, project="", name="", site="", sites=())


def set_problems(
    config: TrainSetConfig,
    layers: str,
    stores: Sequence[StoreItem],
    sets: Sequence[SetItem],
    used: Collection[str],
) -> dict[str, str]:
    """Return field → why the training cannot start; empty when it can.

    `layers`: as typed; `used`: settings that only some architectures use, among them the chosen
    one.
    """
    train = config.train
    found = setting_problems(train, used)
    store = next((item for item in stores if item.name == train.activations), None)
    if train.stream is not None:
        if not train.stream.model:
            found["activations"] = "Choose model and text in Harvest first."
    elif store is None:
        found["activations"] = "Choose a store, harvest one first, or train while harvesting."
    elif store.rows < train.batch:
        found["batch"] = f"The store holds {exact_count(store.rows)} rows, fewer than one batch."
    elif not layers_with_sites(store.sites):
        found["activations"] = UNFIT
    try:
        parse_layers(layers)
    except UserError as error:
        found["layers"] = str(error)
    if store is not None and not found:
        try:
            plan_set(msgspec.structs.replace(config, name="set"), store.sites)
        except UserError as error:
            found["layers"] = str(error)
    elif config.kind == "cross_layer" and len(config.layers) == 1:
        found["layers"] = "A cross-layer transcoder needs two layers or more."
    try:
        checked_name(config.name)
    except UserError as error:
        found["name"] = str(error)
    same = next((item for item in sets if item.name == config.name), None)
    if same is not None and not resumes_set(config, same):
        found["name"] = f"The set “{config.name}” already exists. Choose another name."
    return found


def set_summary(config: TrainSetConfig, store: StoreItem | None, found: SetEstimate | None) -> str:
    """Return what the settings amount to; `found`: what the engine says of these very ones."""
    steps = f"{short_count(config.train.tokens // max(config.train.batch, 1))} steps"
    if store is not None and store.rows:
        steps += f", {passes_text(config.train.tokens, store.rows)} over “{store.name}”"
    elif config.train.stream is not None:
        steps += " on rows harvested along the way; no store is saved"
    if found is None:
        return f"{steps}."
    count = len(found.layers)
    of = "1 layer" if count == 1 else f"{count} layers ({layers_text(found.layers)})"
    return (
        f"{of}, {exact_count(found.features)} features in all, {format_bytes(found.set_bytes)} on "
        f"disk once trained. {steps[:1].upper()}{steps[1:]}."
    )
