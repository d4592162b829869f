"""`sae-desktop label --method model`: previews, tests a server, and writes labels."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from chat_server import ChatServer, says

from sae_desktop.cli.app import run
from sae_desktop.cli.explain_options import previewed
from sae_desktop.labels.explaining.config import ExplanationPreview
from sae_desktop.labels.models import keys
from sae_desktop.project_notes import Notes

KEY = "sk-of-a-command-0123456789"


def _run(project: Path, *options: str) -> int:
    return run(["label", str(project), "--index", "idx", "--method", "model", *options])


def test_preview__shows_what_would_be_sent_and_sends_nothing(
    small_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(says("ok")) as server:
        options = ("--server", server.url, "--model", "toy", "--feature", "1")
        assert _run(small_project, *options, "--preview", "--json") == 0
        preview = msgspec.json.decode(capfd.readouterr().out, type=ExplanationPreview)
        assert server.asked == []
    assert preview.feature == 1
    out = previewed(preview)
    for message in preview.messages:
        assert message.content in out
    assert "All of it stays on this machine." in out
    assert "It costs nothing: no prices are given." in out


def test_label__writes_the_labels_of_a_server_and_says_what_it_took(
    small_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(says('{"label": "names of lakes"}')) as server:
        options = ("--server", server.url, "--model", "toy", "--limit", "2", "--json")
        assert _run(small_project, *options, "--price-in", "1", "--cap", "5") == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["features"], result["labels"], len(server.requests)) == (2, 2, 2)
    assert result["cost"] == pytest.approx(14e-6)
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        assert len(notes.labelled_by("dict", "model")) == 2


def test_label__says_before_what_it_will_take_and_after_what_it_took(
    small_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(says('{"label": "names of lakes"}')) as server:
        options = ("--server", server.url, "--model", "toy", "--limit", "2", "--price-in", "1000")
        assert _run(small_project, *options, "--cap", "50") == 0
    out, err = capfd.readouterr()
    assert err.startswith("2 requests, up to ")
    assert "; it stops at 50.00." in err
    assert "2 labels were written by “toy at 127.0.0.1”." in out
    assert "All 2 requests are done. It took 20 tokens, cost 0.01." in out


def test_test__says_what_a_server_can_do(
    small_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ChatServer(says('{"answer": "yes"}')) as server:
        assert _run(small_project, "--server", server.url, "--model", "toy", "--test") == 0
    assert "It keeps to the form of an answer" in capfd.readouterr().out


def test_key__is_read_from_standard_input_and_not_repeated(
    small_project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_sitting", {})
    monkeypatch.setattr(keys, "_to_keyring", lambda address, key: False)
    monkeypatch.setattr(keys, "_from_keyring", lambda address: "")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: f"{KEY}\n", raising=False)
    with ChatServer(lambda r: r.fail(401, f"wrong {KEY}")) as server:
        options = ("--server", server.url, "--model", "toy", "--ask-key", "--feature", "1")
        assert _run(small_project, *options) == 1
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    out, err = capfd.readouterr()
    assert "does not accept the key" in err
    assert "forgotten when the program ends" in err
    assert KEY not in out + err
    for path in small_project.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_label__without_a_model_says_so(
    small_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(small_project, "--feature", "1") == 1
    assert "No model is chosen" in capfd.readouterr().err
