"""Options by which the command `label` has a language model name features."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.config_options import (
    Choice,
    keyword,
    own_parameters,
    parameter,
    with_signature,
)
from sae_desktop.cli.runner import run_job_command, told
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.explaining.config import (
    ExplainFeaturesConfig,
    ExplainFeaturesResult,
    ExplanationPreview,
    PreviewExplanationConfig,
)
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.config import CheckServerConfig, FindServersConfig
from sae_desktop.labels.models.keys import VARIABLE, keep_key, place_in_words
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Labelled, Selection
from sae_desktop.words.after_jobs import after
from sae_desktop.words.explain_text import preview_lines
from sae_desktop.words.queue_text import estimate_text, summary_text
from sae_desktop.words.server_text import checked_text, found_text

_PANEL = "With --method model"
_CONFIGS: dict[type[msgspec.Struct], tuple[Choice, ...]] = {
    ModelChoice: tuple(
        Choice(name, flag, panel=_PANEL)
        for name, flag in (("server", ""), ("model", ""), ("window", ""),
                           ("seconds", "--answer-seconds"))
    ),
    ExplainFeaturesConfig: tuple(
        Choice(name, flag, panel=_PANEL)
        for name, flag in (("prompt", ""), ("per_interval", "--contexts"), ("look_alikes", ""),
                           ("temperature", ""), ("answer_tokens", ""),
                           ("thinking_tokens", "--thinking"))
    ),
    Selection: tuple(
        Choice(name, panel=_PANEL) for name in ("list", "filter", "alive", "order", "limit")
    ),
    QueueLimits: tuple(
        Choice(name, "--cap" if name == "most_cost" else "", panel=_PANEL)
        for name in ("at_once", "requests_per_minute", "tokens_per_minute", "attempts",
                     "price_in", "price_out", "most_cost")
    ),
}  # fmt: skip


def _flag(name: str, said: str) -> Any:
    option = typer.Option(f"--{name}", help=said, rich_help_panel=_PANEL)
    return keyword(name.replace("-", "_"), False, Annotated[bool, option])


_OWN = (
    keyword(
        "feature", None,
        Annotated[
            list[int] | None,
            typer.Option(min=0, help="A feature to explain; may be repeated.",
                         rich_help_panel=_PANEL),
        ],
    ),
    keyword(
        "explained", None,
        Annotated[
            Labelled | None,
            typer.Option(
                "--labelled",
                help="Features with a label, without one, or any. Default: without; any of those "
                "named by --feature.",
                rich_help_panel=_PANEL,
            ),
        ],
    ),
    keyword(
        "seed", 0,
        Annotated[int, typer.Option(min=0, help="Seed of the contexts that are drawn, and of the "
                                    "answers.", rich_help_panel=_PANEL)],
    ),
    _flag("preview", "Show exactly what would be sent, its tokens and its cost, and send nothing."),
    _flag("find-servers", "List the servers of this machine with their models, and do no more."),
    _flag("test", "Test the connection to the model, and do no more."),
    _flag("ask-key", f"Ask for the server’s key and keep it in the system’s keyring. Without it "
          f"the key is taken from there, or from {VARIABLE}."),
)  # fmt: skip


def or_explained(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that names features the options of a model that does; it has `project`,
    `index`, `method` and `as_json` itself.
    """
    named = {
        (config, choice.field): parameter(config, choice, f"{config.__name__}_{choice.field}")
        for config, choices in _CONFIGS.items()
        for choice in choices
    }

    @functools.wraps(command)
    def run(**given: Any) -> None:
        settings = {key: given.pop(one.name) for key, one in named.items()}
        own = {one.name: given.pop(one.name) for one in _OWN}
        if given["method"] != "model":
            command(**given)
            return
        _explain(given, own, settings)

    return with_signature(run, [*own_parameters(command), *_OWN, *named.values()])


def _explain(
    given: dict[str, Any],
    own: dict[str, Any],
    settings: dict[tuple[type[msgspec.Struct], str], Any],
) -> None:
    def of(config: type[msgspec.Struct]) -> dict[str, Any]:
        return {
            field: value
            for (kind, field), value in settings.items()
            if kind is config and value is not None
        }

    as_json = given["as_json"]
    if own["find_servers"]:
        run_job_command(FindServersConfig(), found_text, as_json=as_json)
    features = tuple(own["feature"] or ())
    labelled: Labelled = own["explained"] or ("any" if features else "without")
    config = ExplainFeaturesConfig(
        project=str(given["project"]),
        index=given["index"],
        model=ModelChoice(**of(ModelChoice)),
        selection=Selection(features=features, labelled=labelled, **of(Selection)),
        limits=QueueLimits(**of(QueueLimits)),
        seed=own["seed"],
        **of(ExplainFeaturesConfig),
    )
    if own["ask_key"]:
        _ask_key(config.model.server)
    if own["test"]:
        run_job_command(CheckServerConfig(model=config.model), checked_text, as_json=as_json)
    if own["preview"]:
        preview = PreviewExplanationConfig(explain=config)
        run_job_command(preview, previewed, as_json=as_json)
    if not as_json:
        _tell_estimate(config)
    run_job_command(config, functools.partial(explained, config), as_json=as_json)


def _tell_estimate(config: ExplainFeaturesConfig) -> None:
    """Say what it will take, where that can be said; what keeps it from starting says the job."""
    from sae_desktop.labels.explaining.preview import preview_explanation

    with contextlib.suppress(UserError):
        preview = preview_explanation(PreviewExplanationConfig(explain=config), SilentContext())
        told(estimate_text(preview.whole))


def explained(config: ExplainFeaturesConfig, result: ExplainFeaturesResult) -> str:
    """Return how many labels there are, and what became of the requests."""
    step = after(config, result)
    done = "" if step is None else f"{step.done}\n"
    return f"{done}{summary_text(result.requests)}"


def _ask_key(server: str) -> None:
    """Ask for a key and keep it; where nobody can type, it is read from standard input."""
    try:
        address = server_address(server)
        if sys.stdin.isatty():
            key = typer.prompt(f"Key for {address.host}", hide_input=True, err=True)
        else:
            key = sys.stdin.readline()
        place = keep_key(address, key)
    except UserError as error:
        raise typer.BadParameter(str(error), param_hint="--ask-key") from None
    told(place_in_words(place))


def previewed(preview: ExplanationPreview) -> str:
    """Return what would be sent, turn by turn, below what is said of it."""
    turns = [f"[{message.role}]\n{message.content}" for message in preview.messages]
    return "\n\n".join(["\n".join(preview_lines(preview)), *turns])
