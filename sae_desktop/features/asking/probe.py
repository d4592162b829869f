"""The job `probe`: which features fire on a text."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.attribution import (
    attributions,
    check_attributable,
    document_gradient,
    logit_gradient,
)
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.picture_documents import PictureDocument, read_document
from sae_desktop.features.asking.places import Places, values_at
from sae_desktop.features.config import (
    ChatTurn,
    LogitDifference,
    ProbeConfig,
    ProbedPicture,
    ProbeResult,
)
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.language_model.text.tokenizer import without_repeated
from sae_desktop.pictures.thumbnails import VIEW_SIDE, thumbnail
from sae_desktop.storage.faults import explained

Array = npt.NDArray[Any]

MOST_TOKENS = 200_000
SPILLED = 50_000
"""An answer of more activations goes through a file where there is a folder for it."""
_LONGEST_WINDOW = 1024
_ROWS = 512
_CELLS = 2**24
"""Activations computed at once, rows × features: 64 MB."""
_DIGITS = 6


def probe(config: ProbeConfig, context: JobContext) -> ProbeResult:
    """Return the text's tokens and, token by token, the features active on them.

    A position counts the reported tokens from 0; the beginning-of-sequence token is not among
    them, and those of pictures stand where the model has them. Of a token's features those of the
    best rank come, `per_token` of them, and those of `config.features` that fire. A text longer
    than the model reads at once is cut into windows; features of other windows than that of
    `attribute_at`, and of later tokens, have the attribution 0. Pictures and their text are one
    window, never cut. Raises UserError for a text without a token, or one of more than MOST_TOKENS,
    for a model without a chat template that is to read a chat, for pictures that it cannot read,
    and where there is no attribution.
    """
    alone = bool(config.pictures) and not config.text.strip()
    opened = open_index(config.project, config.index, config.device, pictures_alone=alone)
    for feature in config.features:
        opened.index.check_feature(feature)
    read = _of_pictures(opened, config) if config.pictures else _of_text(opened, config)
    gradient, count = read.gradient, len(read.tokens)
    ranker = _Ranker(opened, config)
    parts: list[_Part] = []
    step = max(1, min(_ROWS, _CELLS // opened.dictionary.features))
    for first, acts_TD in read.windows:
        context.check_cancelled()
        context.progress(first, count, "tokens")
        for row in range(0, len(acts_TD), step):
            x_TD = acts_TD[row : row + step]
            features_TF = opened.dictionary.encode(x_TD)
            at, rows = first + row, len(features_TF)
            effects_TF = None
            if gradient is not None and gradient.covers(at, rows):
                slope_TD = gradient.rows(at, rows)
                effects_TF = attributions(features_TF, slope_TD, opened.dictionary, x_TD)
            parts.append(ranker.kept(features_TF, effects_TF))
    context.progress(count, count, "tokens")
    difference = None if gradient is None else gradient.difference
    result = _result(read.tokens, parts, difference, config.spill)
    return result if read.document is None else _with_pictures(result, read.document, config)


class _Read(NamedTuple):
    """What is probed."""

    tokens: list[str]
    """Names of all, T of them."""
    windows: Iterable[tuple[int, Tensor]]
    """(first token, values that the dictionary reads (n, I)) of one stretch after another."""
    gradient: _Gradient | None
    document: PictureDocument | None = None


def _of_text(opened: OpenedIndex, config: ProbeConfig) -> _Read:
    ids = _ids(opened, config)
    names = opened.lm.token_bytes()
    gradient = _gradient(opened, ids, config)
    return _Read([token_text(names[i]) for i in ids], activations_of_ids(opened, ids), gradient)


def _of_pictures(opened: OpenedIndex, config: ProbeConfig) -> _Read:
    if config.chat or config.ids:
        raise UserError(
            "Pictures are read before a plain text, not before a chat or given tokens.",
            kept="Nothing was read.",
            next_step="Read the text as it stands, or remove the pictures.",
        )
    document = read_document(opened, config.pictures, config.text)
    tokens = document.names()
    gradient = None
    if _is_attributed(config):
        check_attributable(opened)
        at = _attributed_at(config, len(tokens))
        gradient = _Gradient(0, *document_gradient(opened, document, at, config.against))
    windows = ((0, document.rows(opened.reads)) for _ in range(1))
    return _Read(tokens, windows, gradient, document)


def _with_pictures(
    result: ProbeResult, document: PictureDocument, config: ProbeConfig
) -> ProbeResult:
    told = [
        ProbedPicture(
            name=Path(name).name,
            digest=one.digest,
            layout=layout,
            notes=list(one.notes),
            view=thumbnail(one.image, VIEW_SIDE) if config.views else b"",
        )
        for name, one, layout in zip(
            config.pictures, document.pictures, document.layouts, strict=True
        )
    ]
    return msgspec.structs.replace(
        result,
        pictures=told,
        picture=document.picture.tolist(),
        picture_token=document.token.tolist(),
    )


def activations_of_ids(
    opened: OpenedIndex, ids: list[int], places: Places | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Yield (first token, activations (T, I)), in windows the models can read.

    They are what the dictionary reads, or those at other places, side by side. Each window has the
    special tokens around it that the indexed text had; theirs are left out.
    """
    room = _room(opened)
    for start in range(0, len(ids), room):
        window = ids[start : start + room]
        whole = torch.tensor([opened.bos + window + opened.eos])
        first = len(opened.bos)
        x_SI = values_at(places or opened.reads, whole, None)[0, first : first + len(window)]
        yield start, x_SI


def _room(opened: OpenedIndex) -> int:
    """Return the tokens of text in a window."""
    return min(opened.room, _LONGEST_WINDOW - len(opened.bos) - len(opened.eos))


# ---------------------------------------------------------------- the text
def _ids(opened: OpenedIndex, config: ProbeConfig) -> list[int]:
    text = rendered(opened.lm, config.chat) if config.chat else config.text
    ids = config.ids or own_ids(opened, text)
    unknown = next((i for i in ids if not 0 <= i < len(opened.lm.token_bytes())), None)
    if unknown is not None:
        raise UserError(
            f"“{opened.lm.name}” has no token {unknown}.",
            next_step="Use tokens from this model's vocabulary.",
        )
    if not ids:
        raise UserError("There is no text to read.", next_step="Type or paste a text.")
    if len(ids) > MOST_TOKENS:
        raise UserError(
            f"The text has {len(ids):,} tokens; at most {MOST_TOKENS:,} can be read at once.",
            next_step="Use a shorter text.",
        )
    return ids


def own_ids(opened: OpenedIndex, text: str) -> list[int]:
    """Return a text's tokens, without those that every window begins with."""
    return without_repeated(opened.lm.encode(text), opened.bos)


def rendered(lm: LanguageModel, chat: list[ChatTurn]) -> str:
    """Return a chat as the model's template writes it, an answer started after a question."""
    if not getattr(lm.tokenizer, "chat_template", None):
        raise UserError(
            f"“{lm.name}” has no chat template.", next_step="Enter the chat as plain text."
        )
    said = [{"role": turn.role, "content": turn.content} for turn in chat]
    try:
        return render_chat(
            lm.tokenizer,
            said,
            add_generation_prompt=chat[-1].role == "user",
            name=lm.name,
        )
    except TemplateRefusedError as error:
        raise UserError(
            f"The chat template of “{lm.name}” refuses the chat: {error}.",
            next_step="Use roles that this model's template accepts.",
        ) from error


# ---------------------------------------------------------------- attribution
class _Gradient(NamedTuple):
    """The gradient of the logit difference over the tokens that it depends on."""

    first: int
    values_TD: Tensor
    difference: LogitDifference

    def covers(self, first: int, rows: int) -> bool:
        return first < self.first + len(self.values_TD) and self.first < first + rows

    def rows(self, first: int, rows: int) -> Tensor:
        """Return the gradient at some tokens of the text, 0 at those it does not depend on."""
        found = torch.zeros(rows, self.values_TD.shape[1])
        start, end = max(first, self.first), min(first + rows, self.first + len(self.values_TD))
        found[start - first : end - first] = self.values_TD[start - self.first : end - self.first]
        return found


def _gradient(opened: OpenedIndex, ids: list[int], config: ProbeConfig) -> _Gradient | None:
    if not _is_attributed(config):
        return None
    check_attributable(opened)
    at = _attributed_at(config, len(ids))
    first = at - at % _room(opened)
    following = ids[at + 1] if at + 1 < len(ids) else None
    values, difference = logit_gradient(opened, ids[first : at + 1], at, following, config.against)
    return _Gradient(first, values, difference)


def _is_attributed(config: ProbeConfig) -> bool:
    return config.attribute_at is not None or config.rank == "attribution"


def _attributed_at(config: ProbeConfig, count: int) -> int:
    at = count - 1 if config.attribute_at in (None, -1) else int(config.attribute_at or 0)
    if not 0 <= at < count:
        raise UserError(
            f"There is no token {at} in a text of {count:,}.",
            next_step="Choose one of its tokens.",
        )
    return at


# ---------------------------------------------------------------- what is kept
class _Part(NamedTuple):
    """What is reported of some tokens."""

    counts: Array
    """(T,), of each token."""
    features: Array
    activations: Array
    attributions: Array


class _Ranker:
    """Chooses and orders the features of a token."""

    def __init__(self, opened: OpenedIndex, config: ProbeConfig) -> None:
        columns, device = opened.index.columns, opened.dictionary.device
        self._rank, self._per_token = config.rank, config.per_token
        self._always = torch.tensor(config.features, dtype=torch.int64, device=device)
        dense = np.flatnonzero(np.asarray(columns["density"]) > config.most_density)
        self._dense = torch.from_numpy(dense).to(device)
        self._maxima = torch.from_numpy(np.array(columns["max_activation"], np.float32)).to(device)

    def kept(self, acts_TF: Tensor, effects_TF: Tensor | None) -> _Part:
        """Return what is to be reported of T tokens, from their activations (T, F)."""
        active_TF = acts_TF > 0
        ranks_TF = self._ranks(acts_TF, effects_TF)
        kept_TF = active_TF.clone()
        kept_TF[:, self._dense] = False
        if 0 < self._per_token < acts_TF.shape[1]:
            best = ranks_TF.masked_fill(~kept_TF, -1.0).topk(self._per_token, dim=1).indices
            kept_TF &= torch.zeros_like(kept_TF).scatter_(1, best, True)
        kept_TF[:, self._always] = active_TF[:, self._always]
        places = kept_TF.nonzero(as_tuple=True)
        rows, features = (place.cpu().numpy() for place in places)
        order = np.lexsort((features, -_at(ranks_TF, places), rows))
        effects = np.zeros(len(order), np.float32)
        if effects_TF is not None:
            effects = _at(effects_TF, places)[order]
        return _Part(
            np.bincount(rows, minlength=len(acts_TF)),
            features[order].astype(np.int32),
            _at(acts_TF, places)[order],
            effects,
        )

    def _ranks(self, acts_TF: Tensor, effects_TF: Tensor | None) -> Tensor:
        if self._rank == "share":
            top = torch.where(self._maxima > 0, self._maxima, acts_TF)
            return acts_TF / top.clamp_min(1e-20)
        if self._rank == "attribution" and effects_TF is not None:
            # Tokens on which the difference does not depend are ranked as ever.
            known = effects_TF.abs().amax(dim=1, keepdim=True) > 0
            return torch.where(known, effects_TF.abs(), acts_TF)
        return acts_TF


def _at(values_TF: Tensor, places: tuple[Tensor, ...]) -> Array:
    return np.asarray(values_TF[places].float().cpu().numpy())


# ---------------------------------------------------------------- the answer
def _result(
    tokens: list[str], parts: list[_Part], difference: LogitDifference | None, spill: str
) -> ProbeResult:
    counts, features, activations, effects = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    arrays: dict[str, Any] = {
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "features": features,
        "activations": activations,
        "attributions": effects if difference is not None else effects[:0],
    }
    if spill and len(features) > SPILLED:
        with (
            explained(Path(spill)),
            tempfile.NamedTemporaryFile(
                dir=spill, prefix="probe-", suffix=".npz", delete=False
            ) as file,
        ):
            np.savez(file, **arrays)
        return ProbeResult(tokens=tokens, difference=difference, file=file.name)
    lists = {name: _rounded(values).tolist() for name, values in arrays.items()}
    return ProbeResult(tokens=tokens, difference=difference, **lists)


def _rounded(values: Array) -> Array:
    """Return numbers with no more digits than a float32 is sure of, short as text."""
    if values.dtype.kind != "f":
        return values
    wide = values.astype(np.float64)
    with np.errstate(divide="ignore"):
        places = np.where(wide == 0, 0.0, _DIGITS - 1 - np.floor(np.log10(np.abs(wide))))
    scale = 10.0 ** np.clip(places, -30, 30)
    return np.asarray(np.round(wide * scale) / scale)
