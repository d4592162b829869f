"""The quick question `preview_explanation`: what exactly would be sent. Nothing is."""

from __future__ import annotations

from contextlib import closing

from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.explaining.config import ExplanationPreview, PreviewExplanationConfig
from sae_desktop.labels.explaining.evidence import EvidenceReader
from sae_desktop.labels.explaining.fitting import Count, Fitting
from sae_desktop.labels.explaining.prompts import explain_prompt
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.open import open_server
from sae_desktop.labels.queue.estimate import Usual, estimate, usual_of
from sae_desktop.labels.queue.purse import Purse
from sae_desktop.labels.selection import select
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import Notes

_SAMPLE = 5
"""Questions from which the length of all of them is told."""


def preview_explanation(
    config: PreviewExplanationConfig, context: JobContext
) -> ExplanationPreview:
    """Return the question about a feature as it would be sent, with its tokens and its cost.

    Raises UserError for a feature with nothing to explain it from, and as the job does.
    """
    explain = config.explain
    project = Project.open(explain.project)
    prompt = explain_prompt(project.path, explain.prompt)
    index = FeatureIndex(project.index_path(existing("index", explain.index, project.indexes())))
    with closing(Notes(project.notes_path)) as notes:
        features = select(index, notes, explain.selection).tolist()
    context.check_cancelled()
    feature = features[0] if config.feature is None else index.check_feature(config.feature)
    window, count = _reads(explain.model)
    fitting = Fitting(EvidenceReader(index, prompt, explain), explain.per_interval, window, count)
    evidence, shortened = fitting.read(feature)
    if evidence is None:
        raise UserError(
            f"There is nothing to explain feature {feature} from: the index has no context of it "
            "in the documents that names may be made from.",
            next_step="Choose another feature, or index more text.",
        )
    tokens = fitting.tokens(evidence.ask)
    cost = Purse(explain.limits).cost(tokens, explain.most_tokens)
    some = [fitting.read(f)[0] for f in features[:_SAMPLE]]
    sample = [one.ask for one in some if one is not None] or [evidence.ask]
    whole = estimate(sample, len(features), explain.limits, usual_for(project, explain.model))
    return ExplanationPreview(
        feature=feature,
        messages=evidence.ask.messages,
        prompt=prompt.name,
        prompt_digest=prompt.digest,
        prompt_tokens=tokens,
        exact=fitting.exact,
        answer_tokens=explain.most_tokens,
        contexts=len(evidence.rows),
        shortened=shortened,
        features=len(features),
        cost=cost,
        whole=whole,
        here=explain.model.here,
    )


def _reads(choice: ModelChoice) -> tuple[int, Count | None]:
    """Return (window, counter of tokens) of a model, as far as they are known here."""
    if not choice.local or not choice.model:
        return choice.window, None
    from sae_desktop.labels.models.local import prompt_reader

    reader = prompt_reader(choice.model)
    return choice.window or reader.window, reader.prompt_tokens


def usual_for(project: Project, choice: ModelChoice) -> Usual | None:
    """Return what a server's model took for earlier requests of the project."""
    if choice.local or not choice.model:
        return None
    with closing(open_server(choice)) as server:
        return usual_of(project.requests_path, server.name)
