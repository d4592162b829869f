"""Commands on models: list, get, show, trust, same."""

from __future__ import annotations

import sys
from typing import Annotated, Any, get_args

import typer

from sae_desktop.cli import model_text, render
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.reporter import make_reporter
from sae_desktop.cli.runner import run_job_command, run_reading_command, tell
from sae_desktop.described import default
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    ModelDtype,
    SameModelConfig,
    TrustModelConfig,
    TrustModelResult,
)
from sae_desktop.language_model.names import BUILTIN_PICTURES, KNOWN, shipped_models

models_app = typer.Typer(
    no_args_is_help=True, help="List the models, get one, show one, or trust its program code."
)
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="builtin, smollm2, a folder, a .gguf file, or owner/name on the hub."
    ),
]


@models_app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the models that can be named without a path."""
    run_reading_command(_models, _models_text, as_json=as_json)


@models_app.command("get")
def get_model(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=f"{', '.join(KNOWN)}, or owner/name on the hub.")
    ] = default(GetModelConfig, "name"),
    as_json: JsonOption = False,
) -> None:
    """Download a model into your cache; an interrupted download is resumed."""
    run_job_command(GetModelConfig(name=name), render.figures, as_json=as_json)


@models_app.command("show")
def show_model(
    name: ModelArgument,
    dtype: Annotated[
        str, typer.Option("--dtype", help=f"Precision: {', '.join(get_args(ModelDtype))}.")
    ] = default(DescribeModelConfig, "dtype"),
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps, split.")
    ] = default(DescribeModelConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Show what a model is, its sites, and the memory it needs; its weights are not loaded."""
    if dtype not in get_args(ModelDtype):
        raise typer.BadParameter(
            f"“{dtype}” is not one of {', '.join(get_args(ModelDtype))}", param_hint="--dtype"
        )
    config = DescribeModelConfig(
        model=name,
        dtype=dtype,  # type: ignore[arg-type]
        device=device,
        ask_hub=True,
    )
    run_job_command(config, model_text.card, as_json=as_json)


@models_app.command("trust")
def trust_model(
    name: ModelArgument,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Do not ask for confirmation: you have read the code and trust it."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Allow a model's own program code to be run, as it is now."""
    prepare_environment()
    reporter = make_reporter("", as_json=as_json)

    def work() -> TrustModelResult:
        from sae_desktop.language_model.files import trust
        from sae_desktop.language_model.files.code import ModelCode, code_of
        from sae_desktop.language_model.files.find import find_model

        files = find_model(name, ask=True)
        code = code_of(files.folder) if files.gguf is None else ModelCode(files.folder)
        if code.needed and not trust.is_trusted(code):
            trust.check_whole(name, code)
            reporter.note(model_text.code_question(name, code))
            if not yes:
                _ask(name)
        return trust.trust_model(TrustModelConfig(model=name, digest=code.digest), SilentContext())

    raise typer.Exit(tell(reporter, work, model_text.trusted, None))


@models_app.command("same")
def same_model(
    project: ProjectArgument,
    one: Annotated[
        str,
        typer.Argument(
            metavar="ONE", help="store:NAME, dictionary:NAME, index:NAME, or a model's name."
        ),
    ],
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="The other one, named in the same way.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Declare that two things in a project belong to the same model, if that cannot be detected."""
    config = SameModelConfig(project=str(project), one=one, other=other)
    run_job_command(config, model_text.said_same, as_json=as_json)


def _ask(name: str) -> None:
    """Return if the person at the terminal says yes. Raises UserError otherwise."""
    if not sys.stdin.isatty():
        raise UserError(
            f"The code of “{name}” was not trusted: there is no terminal to ask in.",
            next_step="Add --yes once you have read the code and trust it.",
        )
    print("Trust this code? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError(f"The code of “{name}” is not trusted.", kept="Nothing was changed.")


def _models() -> dict[str, Any]:
    from sae_desktop.language_model.files.find import find_model
    from sae_desktop.language_model.files.hub import cached_hub_models
    from sae_desktop.language_model.files.model_cache import models_cache

    cache = models_cache()
    folders = [p.name for p in cache.iterdir() if p.is_dir()] if cache.is_dir() else []
    # What a model that ships was unpacked to goes by that model's name.
    others = sorted(name for name in folders if not name.startswith(f"{BUILTIN_PICTURES}-"))
    found = []
    for name in dict.fromkeys([*shipped_models(), *KNOWN, *others]):
        known = name in (*shipped_models(), *KNOWN)
        try:
            files = find_model(name if known else str(cache / name))
        except UserError:
            if known:
                found.append({"name": name, "cached": False, "path": None})
            continue
        path = str(files.folder / files.gguf) if files.gguf else str(files.folder)
        found.append({"name": name if known else path, "cached": True, "path": path})
    for name, folder in cached_hub_models().items():
        weights = next(folder.glob("*.safetensors"), None) or next(folder.glob("*.bin"), None)
        where = str(folder) if weights else None
        found.append({"name": name, "cached": where is not None, "path": where})
    return {"models": found}


def _models_text(result: dict[str, Any]) -> str:
    rows = [
        (
            m["name"],
            m["path"] or f"not here yet: run sae-desktop models get {m['name']}",
        )
        for m in result["models"]
    ]
    return render.table(("model", "where"), rows, left={0, 1})
