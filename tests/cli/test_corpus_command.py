"""The command `corpus` shows what a corpus holds and how a model reads it."""

from __future__ import annotations

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from sae_desktop.cli import COMMANDS, corpus_commands
from sae_desktop.cli.corpus_commands import corpus_text
from sae_desktop.corpus.config import (
    ColumnDescription,
    CorpusDescription,
    DescribeCorpusConfig,
    WindowPreview,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DescribeCorpusConfig]:
    found: list[DescribeCorpusConfig] = []
    monkeypatch.setattr(
        corpus_commands,
        "run_job_command",
        lambda config, render, as_json, failed: found.append(config),
    )
    return found


def run(*arguments: str) -> int:
    app = typer.Typer()
    app.command()(corpus_commands.corpus)
    return CliRunner().invoke(app, list(arguments)).exit_code


def test_options__are_the_fields_of_the_config(asked: list[DescribeCorpusConfig]) -> None:
    assert "corpus" in COMMANDS
    assert run("texts") == 0
    assert asked == [DescribeCorpusConfig(corpus="texts")]
    options = [
        "--model", "m", "--subset", "en", "--split", "test", "--text-column", "t",
        "--chat-column", "c", "--no-deduplicate", "--seed", "3", "--context-size", "64",
        "--packing", "packed", "--bos", "never", "--special-tokens", "text", "--preview", "9",
        "--order", "files", "--overlap", "8", "--skip-limit", "0",
    ]  # fmt: skip
    assert run("texts", *options) == 0
    changed = msgspec.structs.asdict(asked[1])
    plain = msgspec.structs.asdict(asked[0])
    # Each option has an effect, and each field has an option.
    assert [name for name in plain if plain[name] == changed[name]] == ["corpus"]


@pytest.mark.parametrize("wrong", [("--packing", "loose"), ("--bos", "maybe"), ("--seed", "-1")])
def test_wrong_values__are_refused(
    asked: list[DescribeCorpusConfig], wrong: tuple[str, str]
) -> None:
    assert run("texts", *wrong) == 2
    assert not asked


def test_text__shows_columns_notes_and_windows_with_roles() -> None:
    said = CorpusDescription(
        name="c.jsonl",
        format="JSON lines",
        documents=-1,
        duplicates=12,
        bytes=2048,
        columns=[
            ColumnDescription(name="messages", kind="chat", example="user: hi"),
            ColumnDescription(name="n", kind="other", example="3"),
        ],
        column="messages",
        sources=[f"s{n}" for n in range(10)],
        languages=["en"],
        notes=["Each window begins with <|bos|>."],
        preview=[
            WindowPreview(
                title="T",
                source="s0",
                language="en",
                metadata={"n": "3"},
                tokens=["<|bos|>", "user", ": hi\n", "<|eos|>", "ho"],
                special=[True, False, False, True, False],
                roles=["", "user", "user", "user", "assistant"],
            )
        ],
    )
    lines = corpus_text(said).splitlines()
    assert lines[0].startswith("c.jsonl: JSON lines, not counted, 2")
    assert "Duplicates among the documents read: 12" in lines
    assert "Sources: s0, s1, s2, s3, s4, s5, s6, s7 and 2 more" in lines
    assert "→  messages  chat   user: hi" in lines
    assert "Each window begins with <|bos|>." in lines
    assert lines[-6:] == [
        "Window 1, 5 tokens: T · s0 · English · n: 3",
        "⟦<|bos|>⟧",
        "  user:",
        "user|:·hi↵|⟦<|eos|>⟧".replace("·", " "),
        "  assistant:",
        "ho",
    ]
