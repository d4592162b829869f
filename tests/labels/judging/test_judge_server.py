"""Labels judged by a server that speaks as OpenAI’s does: well, badly, and not at all."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply, Request
from job_contexts import RecordingContext
from rule_judge import RuleJudge
from sample_index import write_sample_index

from sae_desktop.features.reading.judged_file import read_judged
from sae_desktop.labels.chat import Ask, Message
from sae_desktop.labels.judging.config import JudgeLabelsConfig, JudgeLabelsResult
from sae_desktop.labels.judging.job import judge_labels
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Selection
from sae_desktop.project import Project
from sae_desktop.project_labels import Label
from sae_desktop.project_notes import Notes

LORD, LABEL = 0, "the word Lord"
RULES = {LABEL: lambda text: "Lord" in text}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    path = project.index_path("i")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sample_index(path, repeats=40)
    with closing(Notes(project.notes_path)) as notes:
        notes.add_labels("dict", [Label(feature=LORD, text=LABEL)])
    return project


def truly(request: Request) -> str:
    """Return what a judge answers that goes by the rules."""
    messages = tuple(Message(m["role"], m["content"]) for m in request.body["messages"])
    return RuleJudge(RULES).ask(Ask(messages)).text


def answering(words: Any) -> Reply:
    """Return what answers with a text made of the request, in pieces of a few characters."""

    def reply(request: Request) -> None:
        text = words(request)
        size = max(7, len(text) // 20)
        request.begin()
        for first in range(0, len(text), size):
            request.piece(content=text[first : first + size])
        request.done()

    return reply


def judged(
    project: Project, reply: Reply, *, at_once: int = 4, **more: Any
) -> tuple[JudgeLabelsResult, ChatServer]:
    with ChatServer(reply) as server:
        config = JudgeLabelsConfig(
            project=str(project.path), index="i",
            model=ModelChoice(server=server.url, model="toy", seconds=20.0),
            selection=Selection(features=(LORD,)), limits=QueueLimits(at_once=at_once, attempts=2),
            **({"scorers": ("detection",), "baseline_features": 0} | more),
        )  # fmt: skip
        return judge_labels(config, RecordingContext()), server


def test_server__is_asked_every_question_once_and_its_score_is_kept(project: Project) -> None:
    result, server = judged(project, answering(truly))
    assert result.scorers[0].verdict == "sound"
    assert result.scorers[0].mean == 1.0
    asked = [json.dumps(request.body["messages"]) for request in server.requests]
    assert len(asked) == len(set(asked)) == result.requests
    assert all("response_format" in request.body for request in server.requests)
    read = read_judged(project.index_path("i"), 64, "")
    assert read is not None
    assert read.of(LORD)[0].judgement.value == 1.0
    assert read.judges[0].model == "toy at 127.0.0.1"


def test_server_that_thinks_aloud__is_read_without_its_thoughts(project: Project) -> None:
    def aloud(request: Request) -> str:
        return f'<think>\nPerhaps {{"1": "no"}}?\n</think>\n{truly(request)}'

    result, _ = judged(project, answering(aloud))
    assert result.scorers[0].mean == 1.0


@pytest.mark.parametrize(
    "words",
    [
        lambda request: "All five of them fit the description quite well, I should say.",
        lambda request: "I’m sorry, but I can’t help with that.",
        lambda request: truly(request).replace('"1"', '"0"'),
        lambda request: "{" * 50_000,
        lambda request: "",
    ],
    ids=["prose", "refusal", "off by one", "garbage", "nothing"],
)
def test_server_whose_answers_are_none__gives_no_score(project: Project, words: Any) -> None:
    result, _ = judged(project, answering(words))
    assert result.scorers[0].verdict == "chance"
    assert result.scorers[0].test.answered == 0
    assert result.scorers[0].labels == 0


def test_server_that_fails_now_and_then__is_asked_again_and_loses_nothing(
    project: Project,
) -> None:
    count = iter(range(10_000))

    def shaky(request: Request) -> None:
        number = next(count)
        if number % 3 == 0:
            request.fail(429, "Slow down.", retry_after="0")
        elif number % 7 == 0:
            request.fail(500, "Oh dear.")
        else:
            answering(truly)(request)

    result, _ = judged(project, shaky, at_once=1)
    assert result.scorers[0].mean == 1.0
    assert result.failed == 0


def test_rubric__of_a_server_that_rates_beyond_3_has_no_score(project: Project) -> None:
    def beyond(request: Request) -> str:
        return truly(request).replace('"yes"', "4").replace('"no"', "5")

    result, _ = judged(project, answering(beyond), scorers=("rubric",))
    assert result.scorers[0].test.answered == 0
    assert result.scorers[0].mean is None


def test_rubric__of_a_server_that_goes_by_the_rules_is_perfect(project: Project) -> None:
    def rating(request: Request) -> str:
        messages = request.body["messages"]
        plain = messages[-1]["content"].replace("<<", "").replace(">>", "")
        request.body["messages"] = [*messages[:-1], {**messages[-1], "content": plain}]
        return truly(request).replace('"yes"', "3").replace('"no"', "0")

    result, _ = judged(project, answering(rating), scorers=("rubric",))
    assert result.scorers[0].test.value == 1.0
    assert result.scorers[0].mean == pytest.approx(1.0)
