"""“Copy as command” and “Copy as Python” of every kind of job give the very config back."""

from __future__ import annotations

import shlex
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asked_jobs import questions
from kill_jobs import SCENARIOS, Place

from sae_desktop.cli import COMMANDS, runner
from sae_desktop.cli.app import run
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.limits import limits
from sae_desktop.words import as_code

_ALLOWED: dict[str, Any] = {"architecture": "standard", "k_start": 8}
"""Other values of fields of which not every one can be."""


def _configs() -> list[JobConfig]:
    """One config of every kind of job, as the tests of all kinds have them, and a few more."""
    place = Place(Path("p"), Path("m"))
    made = [make(place) for job, make in SCENARIOS.items()]
    jobs = [one for one in made if isinstance(one, msgspec.Struct)]
    return [*jobs, *questions(place).values()]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> list[JobConfig]:
    from _pytest.monkeypatch import MonkeyPatch

    with MonkeyPatch.context() as patch:
        patch.setattr("kill_jobs.answering_url", lambda: "http://127.0.0.1:1/v1")
        patch.setattr("kill_jobs.code_of", lambda _: types.SimpleNamespace(digest="0" * 64))
        return _configs()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[JobConfig]:
    """What commands would have run."""
    found: list[Any] = []

    def tell(reporter: Any, work: Any, render: Any, config: Any) -> int:
        reporter.close()
        found.append(config)
        return 0

    monkeypatch.setattr(runner, "tell", tell)
    return found


def _parse(config: JobConfig, parsed: list[JobConfig]) -> JobConfig:
    command = as_code.command(config)
    program, *words = shlex.split(command)
    assert program == "sae-desktop"
    assert words[0] in COMMANDS
    before = len(parsed)
    assert run(words) == 0, command
    [found] = parsed[before:]
    return found


def _executed(config: JobConfig) -> Any:
    names: dict[str, Any] = {}
    code = as_code.python(config).replace("project = open_project", "opened = str")
    *made, last = code.strip().split("\nresult = ")
    assert last in ("project.run(config)", "run(config)")
    exec(compile("\n".join(made), "copied", "exec"), names)
    return names["config"]


def test_every_kind_of_job__is_among_them(configs: list[JobConfig]) -> None:
    assert {type(config) for config in configs} == set(JOB_KINDS)


def test_command__parsed_gives_the_same_config(
    configs: list[JobConfig], parsed: list[JobConfig]
) -> None:
    differ = [config for config in configs if _parse(config, parsed) != config]
    assert differ == []


def test_python__executed_gives_the_same_config(configs: list[JobConfig]) -> None:
    for config in configs:
        assert _executed(config) == config
        assert max(map(len, as_code.python(config).splitlines())) < 200


def _other(config: type[msgspec.Struct], field: str, hint: Any, value: Any) -> Any:
    """Return another value of a field; None where none is known."""
    if typing.get_origin(hint) is typing.Annotated:
        return _other(config, field, typing.get_args(hint)[0], value)
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return next(one for one in parts if one != value)
    if isinstance(hint, types.UnionType):
        kind = next(one for one in parts if one is not types.NoneType)
        return _other(config, field, kind, value)
    bounds = limits(config, field)
    if hint is bool:
        return not value
    if hint is int:
        found = (value or 0) + 1
        return found if bounds is None or bounds.allow(found) else (value or 0) - 1
    if hint is float:
        return next(
            (x for x in (0.5, 0.25, 2.0) if x != value and (bounds is None or bounds.allow(x))),
            None,
        )
    if hint is str:
        return "-of 'two' words"
    if parts[:1] == (str,) and typing.get_origin(hint) in (list, tuple):
        return typing.get_origin(hint)(["a b", "-c"])
    if parts[:1] == (int,) and typing.get_origin(hint) in (list, tuple):
        return typing.get_origin(hint)([3, 1])
    return None


def test_command__states_every_setting(configs: list[JobConfig], parsed: list[JobConfig]) -> None:
    """Each field of a kind that has a command of its own, changed by itself, comes back."""
    tried, own = 0, 0
    by_kind = {type(config): config for config in configs if type(config) in as_code._OWN}
    assert set(by_kind) == set(as_code._OWN)
    for kind, config in by_kind.items():
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in kind.__struct_fields__:
            value = _ALLOWED.get(field) or _other(kind, field, hints[field], getattr(config, field))
            if value is None or field == "project":
                continue
            changed = msgspec.structs.replace(config, **{field: value})
            assert _executed(changed) == changed
            assert _parse(changed, parsed) == changed, field
            tried += 1
            own += as_code.command_words(changed)[0] != as_code.RUN
    assert tried > 140
    assert own > 0.8 * tried


def test_run__refuses_what_is_no_config(
    parsed: list[JobConfig], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["run", '{"type": "paint"}']) == 2
    assert "There is no kind of job" in capsys.readouterr().err
    assert run(["run", '{"type": "probe", "project": "p", "index": "i", "per_token": "x"}']) == 2
    assert "per_token" in capsys.readouterr().err
    assert run(["run", str(tmp_path / "gone.json")]) == 2
    assert run(["run", "[]"]) == 2
    assert parsed == []
    assert run(["run", "kinds"]) == 0
    assert "train_set" in capsys.readouterr().err
    file = tmp_path / "job.toml"
    file.write_text('type = "verify_store"\nproject = "p"\nname = "acts"\n')
    assert run(["run", str(file)]) == 0
    assert as_code.command_words(parsed[0]) == ["stores", "verify", "p", "acts"]


def test_command__is_short_where_the_job_has_its_own(configs: list[JobConfig]) -> None:
    train = next(c for c in configs if as_code.command(c).startswith("sae-desktop train p/p "))
    assert "--name new" in as_code.command(train)
    assert "{" not in as_code.command(train)
