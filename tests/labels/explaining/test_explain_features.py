"""A model explains features: what is sent, what becomes of each answer, and what stays here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from chat_server import ChatServer, Reply, Request, says
from job_contexts import RecordingContext

from sae_desktop.engine.explain import explain
from sae_desktop.errors import UserError
from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.chat import Ask
from sae_desktop.labels.explaining.config import (
    ExplainFeaturesConfig,
    ExplainFeaturesResult,
    PreviewExplanationConfig,
)
from sae_desktop.labels.explaining.job import explain_features
from sae_desktop.labels.explaining.preview import preview_explanation
from sae_desktop.labels.models import keys
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.local import prompt_reader
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Selection
from sae_desktop.labels.token_count import ask_tokens
from sae_desktop.project import Project
from sae_desktop.project_labels import MODEL
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.words.after_jobs import after

KEY = "sk-of-a-test-0123456789abcdef"
RIVERS = says('{"label": "names of ', 'lakes"}')


@pytest.fixture
def features(small_project: Path) -> tuple[int, ...]:
    """Three features that fire."""
    index = FeatureIndex(small_project / "features/idx.h5")
    fired = index.columns["density"].argsort()[::-1][:3]
    return tuple(int(f) for f in fired)


def _config(
    project: Path, server: ChatServer, features: tuple[int, ...], **changes: object
) -> ExplainFeaturesConfig:
    config = ExplainFeaturesConfig(
        project=str(project), index="idx", model=ModelChoice(server=server.url, model="toy"),
        selection=Selection(features=features), per_interval=2,
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


Run = Callable[..., tuple[ExplainFeaturesResult, RecordingContext, ChatServer]]


@pytest.fixture
def run(small_project: Path, features: tuple[int, ...]) -> Run:
    def run(reply: Reply, **changes: object):
        context = RecordingContext()
        with ChatServer(reply) as server:
            result = explain_features(_config(small_project, server, features, **changes), context)
        return result, context, server

    return run


def _labels(project: Path, feature: int) -> list[tuple[str, str, str]]:
    with closing(Notes(project / "notes.sqlite")) as notes:
        return [(x.text, x.method, x.author) for x in notes.labels_of("dict", feature)]


def test_labels__are_in_the_notes_with_all_that_made_them(
    small_project: Path, features: tuple[int, ...], run: Run
) -> None:
    result, _, server = run(RIVERS)
    assert (result.features, result.labels, result.failed, result.ended) == (3, 3, 0, "")
    assert (result.prompt_tokens, result.answer_tokens) == (21, 9)
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        (label,) = notes.labels_of("dict", features[0])
    assert (label.text, label.method, label.author, label.state) == (
        "names of lakes", MODEL, "toy at 127.0.0.1", "proposed",
    )  # fmt: skip
    made = json.loads(label.evidence)
    assert made["prompt"] == "contexts"
    assert made["rows"]
    assert len(made["prompt_digest"]) == 16
    assert len(server.requests) == 3


def test_held_out_texts__are_never_sent(
    small_project: Path, features: tuple[int, ...], run: Run
) -> None:
    run(RIVERS, prompt="contrast", per_interval=8, look_alikes=20)
    held = held_out(FeatureIndex(small_project / "features/idx.h5"))
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        made = [json.loads(notes.labels_of("dict", f)[0].evidence) for f in features]
    rows = [row for one in made for row in (*one["rows"], *one["contrast_rows"])]
    assert len(rows) > 30
    assert not held.rows(rows).any()
    assert held.rows(np.arange(6000)).any()


def test_preview__is_what_is_sent_to_the_letter(
    small_project: Path, features: tuple[int, ...]
) -> None:
    with ChatServer(RIVERS) as server:
        config = _config(
            small_project, server, features[:1], prompt="both",
            limits=QueueLimits(price_in=2.0, price_out=10.0),
        )  # fmt: skip
        asked = PreviewExplanationConfig(explain=config)
        preview = preview_explanation(asked, SilentContext())
        assert server.asked == []
        result = explain_features(config, SilentContext())
    sent = [(m["role"], m["content"]) for m in server.requests[0].body["messages"]]
    assert sent == [(m.role, m.content) for m in preview.messages]
    assert (preview.feature, preview.features, preview.exact) == (features[0], 1, False)
    assert preview.cost == pytest.approx((preview.prompt_tokens * 2 + 100 * 10) / 1e6)
    assert preview.whole.cost > 0
    assert result.cost == pytest.approx((7 * 2 + 3 * 10) / 1e6)
    assert not _marks_left(sent)


def _marks_left(sent: list[tuple[str, str]]) -> list[str]:
    return [field for _, text in sent for field in re.findall(r"\{[a-z_]+\}", text)]


def test_preview__of_a_local_model_counts_its_own_tokens(
    small_project: Path, features: tuple[int, ...], toy_model_folder: Path
) -> None:
    config = ExplainFeaturesConfig(
        project=str(small_project), index="idx", per_interval=2,
        model=ModelChoice(model=str(toy_model_folder), window=4000),
        selection=Selection(features=features),
    )  # fmt: skip
    preview = preview_explanation(PreviewExplanationConfig(explain=config), SilentContext())
    assert preview.exact
    ask = Ask(preview.messages)
    assert preview.prompt_tokens == prompt_reader(str(toy_model_folder)).prompt_tokens(ask)
    assert preview.prompt_tokens != ask_tokens(ask)


def test_started_again__asks_nothing_and_adds_nothing(
    small_project: Path, features: tuple[int, ...]
) -> None:
    with ChatServer(RIVERS) as server:
        config = _config(small_project, server, features)
        explain_features(config, SilentContext())
        again = explain_features(config, SilentContext())
    assert len(server.requests) == 3
    assert (again.labels, again.prompt_tokens) == (0, 0)
    assert len(_labels(small_project, features[0])) == 1


@pytest.mark.parametrize(
    ("reply", "counts", "said"),
    [
        (says("I'm sorry, but I can't help with that."), (0, 3, 0, 0), "will not"),
        (says("the the the the the the the the the"), (0, 0, 3, 0), "repeats"),
        (says('{"label": "names of rivers in France"}'), (0, 0, 3, 0), "a piece of the question"),
        (says("I think that this fires on words"), (0, 0, 3, 0), "speaks to whoever asked"),
        (says("<think>hm</think>"), (0, 0, 3, 0), "no description"),
        (says(*["word " * 100_000] * 21), (0, 0, 3, 0), "far too long"),
        (lambda r: r.fail(418, "no tea"), (0, 0, 0, 3), "no tea"),
    ],
)
def test_answer__that_is_no_label_is_counted_and_told(
    reply: Reply, counts: tuple[int, ...], said: str, run: Run, small_project: Path,
    features: tuple[int, ...],
) -> None:  # fmt: skip
    result, context, _ = run(reply, limits=QueueLimits(attempts=1))
    assert (result.labels, result.refused, result.nonsense, result.failed) == counts
    assert said in " ".join(context.lines)
    assert _labels(small_project, features[0]) == []


def test_label__from_an_answer_out_of_form_is_counted_and_told(run: Run) -> None:
    def reply(request: Request) -> None:
        said = "names of lakes" if len(seen) == 1 else '{"label": "names of lakes"}'
        seen.append(said)
        says(said)(request)

    seen: list[str] = []
    result, _, _ = run(reply)
    assert (result.labels, result.out_of_form, result.nonsense) == (3, 1, 0)
    config = ExplainFeaturesConfig(project="", index="idx", model=ModelChoice())
    led = after(config, result)
    assert led is not None
    assert "3 labels were written" in led.done
    assert "1 of them from an answer out of form" in led.done


def test_thoughts__are_kept_with_the_label_and_not_in_it(
    small_project: Path, features: tuple[int, ...], run: Run
) -> None:
    run(says('<think>rivers?</think>{"label": "names of lakes"}'))
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        (label,) = notes.labels_of("dict", features[0])
    assert label.text == "names of lakes"
    assert json.loads(label.evidence)["thoughts"] == "rivers?"


def test_label__of_a_person_stays_the_one_that_is_shown(
    small_project: Path, features: tuple[int, ...], run: Run
) -> None:
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        notes.save("dict", FeatureNote(feature=features[0], label="mine"))
    run(RIVERS)
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        assert notes.note("dict", features[0]).label == "mine"
        assert [x.text for x in notes.labels_of("dict", features[0])] == ["mine", "names of lakes"]


def _too_long_above(limit: int) -> Reply:
    def reply(request: Request) -> None:
        size = sum(len(m["content"]) for m in request.body["messages"])
        if size > limit:
            request.fail(400, "This model's maximum context length is exceeded")
        else:
            RIVERS(request)

    return reply


def test_prompt__that_a_server_finds_too_long_is_halved_and_that_is_told(
    small_project: Path, features: tuple[int, ...], run: Run
) -> None:
    with ChatServer(RIVERS) as server:
        config = _config(small_project, server, features, per_interval=8)
        preview = preview_explanation(PreviewExplanationConfig(explain=config), SilentContext())
    whole = sum(len(m.content) for m in preview.messages)
    result, context, server = run(_too_long_above(int(whole * 0.8)), per_interval=8)
    assert result.labels == 3
    assert result.shortened >= 1
    assert "Fewer contexts were sent" in " ".join(context.lines)
    never, context, _ = run(_too_long_above(10), per_interval=8, seed=1)
    assert (never.labels, never.failed) == (0, 3)
    assert "stayed too long" in " ".join(context.lines)


def test_prompt__fits_the_window_that_a_server_states(
    small_project: Path, features: tuple[int, ...]
) -> None:
    stated = ({"id": "toy", "max_model_len": 900},)
    with ChatServer(RIVERS, models=stated) as server:
        config = _config(small_project, server, features, per_interval=8)
        result = explain_features(config, SilentContext())
    assert result.shortened == 3
    assert len(server.requests) == 3
    with ChatServer(RIVERS, models=({"id": "toy", "max_model_len": 50},)) as tiny:
        config = _config(small_project, tiny, features)
        none = explain_features(config, SilentContext())
    assert (none.labels, none.failed, tiny.requests) == (0, 3, [])


def test_cap__holds_and_what_is_left_is_told(run: Run) -> None:
    limits = QueueLimits(price_in=1e6, price_out=1e6, most_cost=1.0, at_once=1)
    result, _, server = run(RIVERS, limits=limits)
    assert (result.ended, result.left, result.cost, server.requests) == ("cap", 3, 0.0, [])


def test_wrong_key__leaves_no_trace_of_the_key_anywhere(
    small_project: Path, features: tuple[int, ...], monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv(keys.VARIABLE, KEY)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    caplog.set_level("DEBUG")
    context = RecordingContext()
    with ChatServer(lambda r: r.fail(401, f"Incorrect API key provided: {KEY}")) as server:
        config = _config(small_project, server, features)
        with pytest.raises(UserError, match="does not accept the key") as caught:
            explain_features(config, context)
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    told = explain(caught.value, config)
    out, err = capfd.readouterr()
    said = f"{told} {context.lines} {context.doing} {out} {err} {caplog.text}"
    assert KEY not in said
    assert KEY[5:] not in said
    written = [path for path in small_project.rglob("*") if path.is_file()]
    assert any(path.name == "requests.sqlite" for path in written)
    for path in written:
        assert KEY.encode() not in path.read_bytes(), path


def test_network_off__sends_nothing_beyond_this_machine(
    small_project: Path, features: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "settings/sae-desktop").mkdir(parents=True)
    (tmp_path / "settings/sae-desktop/settings.json").write_text('{"network_off": true}')
    with ChatServer(RIVERS) as server:
        assert explain_features(_config(small_project, server, features), SilentContext()).labels
        far = ModelChoice(server="https://api.example.org/v1", model="toy")
        with pytest.raises(UserError, match="network is off"):
            explain_features(_config(small_project, server, features, model=far), SilentContext())


def test_prompt_of_the_project__is_used(
    small_project: Path, features: tuple[int, ...], run: Run
) -> None:
    folder = Project.open(small_project).path / "prompts"
    folder.mkdir()
    (folder / "explain_short.toml").write_text('system = ""\nuser = "Say: {promoted}"\n')
    _, _, server = run(RIVERS, prompt="short")
    (message,) = server.requests[0].body["messages"]
    assert message["content"].startswith("Say: “")
