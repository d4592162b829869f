"""The averaged Jacobians of a model, from every layer to the last: measured, kept, read again.

J_l = mean over texts and positions p of Σ_{p' ≥ p} ∂h_last[p'] / ∂h_l[p]; h_last is the residual
stream after the last layer, h_l that before the first layer (row 0) or after layer l − 1. The
first positions of a text are left out, since attention sinks are unlike all others.
L layers, D width, S tokens of a text.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.circuits.lens_config import FitLensConfig, FitLensResult
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.windows import windows
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, load_model, require_causal
from sae_desktop.language_model.sites.capture import watch
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site, hook_point
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record
from sae_desktop.storage.atomic import replacing

LEFT_OUT = 16
"""Positions at the beginning of each text that are not averaged over."""
_ROWS = 16
"""Copies of a text that are differentiated together, each by another coordinate."""


@dataclass(frozen=True)
class Jacobians:
    matrices_LDD: Tensor
    """Row 0 carries what enters the first layer; that of the last layer is the identity and is
    not kept. float32."""
    told: str
    """Over what it was averaged, in words."""


def jacobian_path(project: Project, lm: LanguageModel) -> Path:
    """Return where the averages of a model lie, told by its identity."""
    digest = hashlib.sha256(lm.mark.key.encode()).hexdigest()[:16]
    return project.lens_path(digest)


def read_jacobians(project: Project, lm: LanguageModel) -> Jacobians:
    """Return what `fit_lens` kept of a model.

    Raises UserError where it was not measured, and for a file that is damaged or of another size.
    """
    path = jacobian_path(project, lm)
    if not path.is_file():
        raise UserError(
            f"The averaged Jacobians of “{lm.name}” have not been measured in this project.",
            next_step="Measure them first: “Measure the lens” in the lens tab, or sae-desktop "
            "lens --fit.",
        )
    try:
        with safetensors.safe_open(path, "pt") as file:
            matrices = file.get_tensor("jacobians").float()
            told = str((file.metadata() or {}).get("told", ""))
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(
            f"“{path}” is damaged: {error}.", next_step="Measure the lens of the model again."
        ) from error
    if tuple(matrices.shape) != (lm.layers, lm.width, lm.width):
        raise UserError(
            f"“{path}” does not fit “{lm.name}”.", next_step="Measure the lens of the model again."
        )
    return Jacobians(matrices, told)


def fit_lens(config: FitLensConfig, context: JobContext) -> FitLensResult:
    """Average the Jacobians over texts and keep them in the project.

    A stop keeps the average of the texts read so far, where there are two. Raises UserError for
    an encoder, and for a corpus without texts of that length.
    """
    refuse_beyond_limits(config)
    began = time.monotonic()
    project = Project.open(config.project)
    lm = load_model(config.model, config.device)
    require_causal(lm, "A lens")
    if config.context_size <= LEFT_OUT:
        raise UserError(
            f"Texts of {config.context_size} tokens leave nothing to average over: the first "
            f"{LEFT_OUT} positions are left out.",
            next_step=f"Use at least {LEFT_OUT * 2} tokens per text.",
        )
    halves = torch.zeros(2, lm.layers, lm.width, lm.width)
    done, positions, steps = 0, 0, -(-lm.width // _ROWS)
    for ids in _texts(lm, config):
        if context.stop_requested and done >= 2:
            break
        for step, rows_LRD in enumerate(_rows(lm, ids)):
            context.check_cancelled()
            context.progress(done * steps + step, config.texts * steps, "passes")
            first = step * _ROWS
            halves[done % 2, :, first : first + rows_LRD.shape[1]] += rows_LRD
        done, positions = done + 1, positions + len(ids) - LEFT_OUT
        context.progress(done * steps, config.texts * steps, "passes")
    if done < 2:
        raise UserError(
            f"The corpus has {done} texts of {config.context_size} tokens; at least 2 are needed.",
            next_step="Use fewer tokens per text, or another corpus.",
        )
    context.progress(done * steps, done * steps, "passes")
    counts = torch.tensor([(done + 1) // 2, done // 2])[:, None, None, None]
    one, other = (halves / counts).flatten(2)
    agreement = torch.cosine_similarity(one, other, dim=-1)
    told = f"{positions:,} tokens in {done:,} texts of “{config.corpus or 'builtin'}”"
    path = jacobian_path(project, lm)
    kept = {
        "told": told,
        "model": lm.name,
        "identity": lm.revision,
        "config": config_record(config),
    }
    with replacing(path) as part:
        save_file({"jacobians": (halves.sum(0) / done).half().contiguous()}, part, metadata=kept)
    return FitLensResult(
        model=lm.name,
        texts=done,
        positions=positions,
        layers=lm.layers,
        agreement=[round(float(value), 4) for value in agreement],
        bytes=path.stat().st_size,
        seconds=time.monotonic() - began,
    )


def _texts(lm: LanguageModel, config: FitLensConfig) -> Iterator[list[int]]:
    """Yield texts of the asked length, and no more than are asked for."""
    size = min(config.context_size, lm.context_size)
    settings = CorpusSettings(corpus=config.corpus or "builtin", context_size=size)
    plan = plan_windows(lm, settings, minimum=size)
    for window in islice(windows(plan, document_encoder(lm, settings)), config.texts):
        yield window.ids


def _rows(lm: LanguageModel, ids: list[int]) -> Iterator[Tensor]:
    """Yield rows of the Jacobians of one text, (L, up to _ROWS, D) float32 on the CPU, in order."""
    seen: list[Tensor] = []

    def hold(x_BSD: Tensor) -> Tensor:
        seen[:] = [x_BSD.detach().requires_grad_()]
        return seen[0]

    with torch.enable_grad(), ExitStack() as stack:
        stack.enter_context(intervention(lm, Site(0, "hook_resid_pre"), hold))
        for layer in range(lm.layers):
            point = hook_point(lm.model, Site(layer, "hook_resid_post"))
            stack.callback(watch(point, seen.append).remove)
        copies = torch.tensor([ids] * _ROWS, device=lm.device)
        lm.model.base_model(input_ids=copies, use_cache=False)
        streams, last_BSD = seen[:-1], seen[-1]
        positions = last_BSD.shape[1] - LEFT_OUT
        for first in range(0, lm.width, _ROWS):
            count = min(_ROWS, lm.width - first)
            cotangent_BSD = torch.zeros_like(last_BSD)
            for row in range(count):
                cotangent_BSD[row, LEFT_OUT:, first + row] = 1
            found = torch.autograd.grad(last_BSD, streams, cotangent_BSD, retain_graph=True)
            yield torch.stack(
                [g[:count, LEFT_OUT:].float().sum(1).cpu() / positions for g in found]
            )
