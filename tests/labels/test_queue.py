"""Many questions to a model: each asked once, kept, paid for within the cap, ended as asked."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from job_contexts import RecordingContext
from scripted_model import ScriptedModel, answer_of, ask_of

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.labels.chat import Answer, Ask, ChatError
from sae_desktop.labels.queue import pace
from sae_desktop.labels.queue.asking import Asking, ask_all
from sae_desktop.labels.queue.ledger import Ledger, request_of
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.progress import QueueProgress, from_metrics

PRICED = {"price_in": 1000.0, "price_out": 1000.0}
"""A thousandth of the currency a token."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "requests.sqlite")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(pace, "LONGEST_WAIT", 0.02)


def _questions(count: int) -> Iterator[tuple[int, Ask]]:
    return ((n, ask_of(f"question {n}", most_tokens=20)) for n in range(count))


def _ask(
    model: ScriptedModel,
    ledger: Ledger,
    count: int = 8,
    context: JobContext | None = None,
    **limits: float,
) -> tuple[dict[int, Answer | ChatError], Asking[int]]:
    asking = ask_all(
        _questions(count),
        model,
        ledger,
        QueueLimits(**limits),  # type: ignore[arg-type]
        context or SilentContext(),
        total=count,
    )
    with closing(asking):
        return dict(asking), asking


def test_queue__answers_every_question_under_its_key(ledger: Ledger) -> None:
    answers, asking = _ask(ScriptedModel(), ledger, 30)
    assert {key: a.text for key, a in answers.items() if isinstance(a, Answer)} == {
        n: f"QUESTION {n}" for n in range(30)
    }
    assert (asking.progress.answered, asking.progress.ended) == (30, "all")
    assert ledger.totals().answered == 30


def test_queue__asks_nothing_twice_in_another_start(ledger: Ledger, tmp_path: Path) -> None:
    _ask(ScriptedModel(), ledger, 6)
    model = ScriptedModel(lambda prompt, before: answer_of("another answer"))
    with closing(Ledger(tmp_path / "requests.sqlite")) as again:
        answers, asking = _ask(model, again, 8)
    assert sorted(model.asked) == ["question 6", "question 7"]
    assert answers[0] == answer_of("QUESTION 0")
    assert (asking.progress.kept, asking.progress.answered) == (6, 2)


def test_queue__asks_equal_questions_once_and_answers_both(ledger: Ledger) -> None:
    model = ScriptedModel()
    asks = [(n, ask_of("the same")) for n in range(5)]
    answers = dict(ask_all(asks, model, ledger, QueueLimits(), SilentContext()))
    assert len(answers) == 5
    assert model.asked == ["the same"]


def test_ledger__tells_requests_apart_by_all_that_made_them() -> None:
    asks = [
        ask_of("a"),
        ask_of("b"),
        ask_of("a", temperature=0.5),
        ask_of("a", seed=1),
        ask_of("a", most_tokens=9),
        ask_of("a", schema={"type": "object"}),
        ask_of("a", logprobs=3),
    ]
    digests = {request_of(model, ask).digest for ask in asks for model in ("one", "two")}
    assert len(digests) == 14


def test_queue__takes_no_more_questions_than_it_is_about_to_ask(ledger: Ledger) -> None:
    taken = 0

    def endless() -> Iterator[tuple[int, Ask]]:
        nonlocal taken
        for n in itertools.count():
            taken += 1
            yield n, ask_of(f"question {n}")

    with closing(
        ask_all(endless(), ScriptedModel(), ledger, QueueLimits(at_once=3), SilentContext())
    ) as asking:
        for _ in range(20):
            next(asking)
    assert taken <= 20 + 2 * 3


def test_queue__asks_as_many_at_once_as_allowed_and_one_until_the_first_answer(
    ledger: Ledger,
) -> None:
    together = threading.Barrier(3, timeout=20)

    def reply(prompt: str, before: int) -> Answer:
        if prompt != "question 0":
            together.wait()  # passes only while three are under way
        else:
            assert model.under_way == 1
        return answer_of(prompt)

    model = ScriptedModel(reply)
    answers, _ = _ask(model, ledger, 13, at_once=3)
    assert all(isinstance(a, Answer) for a in answers.values())
    assert model.most_at_once == 3


def test_queue__asks_again_where_the_server_fails_and_counts_what_it_gives_up(
    ledger: Ledger,
) -> None:
    def reply(prompt: str, before: int) -> Answer:
        if prompt == "question 3" or (prompt == "question 1" and before < 2):
            raise ChatError("server", "The server failed.")
        return answer_of(prompt)

    model = ScriptedModel(reply)
    answers, asking = _ask(model, ledger, attempts=3)
    assert model.asked.count("question 1") == 3
    assert model.asked.count("question 3") == 3
    failed = answers[3]
    assert isinstance(failed, ChatError)
    assert failed.kind == "server"
    told = asking.progress
    assert (told.answered, told.failed, told.failures) == (7, 1, {"server": 1})
    assert told.attempts == len(model.asked) == ledger.totals().attempts
    assert ledger.totals().failed == 1


@pytest.mark.parametrize("kind", ["key", "certificate", "no_model", "quota"])
def test_queue__stops_at_the_first_error_that_will_not_mend(ledger: Ledger, kind: str) -> None:
    def reply(prompt: str, before: int) -> Answer:
        raise ChatError(kind, "It is so.", next_step="Mend it.")  # type: ignore[arg-type]

    model = ScriptedModel(reply)
    with pytest.raises(UserError, match=r"It is so\..*are kept.*Mend it\."):
        _ask(model, ledger, 20, at_once=4)
    assert len(model.asked) == 1
    assert ledger.totals().waiting == 1


def test_queue__hands_on_what_was_answered_before_it_stops(ledger: Ledger) -> None:
    def reply(prompt: str, before: int) -> Answer:
        if prompt == "question 5":
            raise ChatError("quota", "Nothing is left.")
        return answer_of(prompt)

    asking = ask_all(
        _questions(20), ScriptedModel(reply), ledger, QueueLimits(at_once=1), SilentContext()
    )
    got = []
    with pytest.raises(UserError, match="Nothing is left"):
        got.extend(asking)
    assert [key for key, _ in got] == [0, 1, 2, 3, 4]


def test_queue__gives_up_where_everything_fails(ledger: Ledger) -> None:
    def reply(prompt: str, before: int) -> Answer:
        raise ChatError("server", "The server failed.")

    model = ScriptedModel(reply)
    with pytest.raises(UserError, match="20 requests in a row failed"):
        _ask(model, ledger, 1000, attempts=1)
    assert len(model.asked) < 30


def test_cap__holds_with_requests_under_way_at_the_same_time(ledger: Ledger) -> None:
    # As costly as it was feared: 20 tokens of an answer, and a prompt as long as its bytes allow.
    def reply(prompt: str, before: int) -> Answer:
        return answer_of(prompt, prompt_tokens=42, answer_tokens=20)

    cap = 1.0
    answers, asking = _ask(ScriptedModel(reply), ledger, 100, at_once=8, most_cost=cap, **PRICED)
    told = asking.progress
    assert told.ended == "cap"
    assert told.cost <= cap
    assert told.cost > cap - 0.07  # the next one might have cost so much
    assert len(answers) == told.answered == ledger.totals().answered
    assert told.cost == pytest.approx(ledger.totals().cost)


def test_cap__is_used_up_where_requests_cost_less_than_they_might(ledger: Ledger) -> None:
    # Eight together might cost 0.5; each costs 0.015.
    _, asking = _ask(ScriptedModel(), ledger, 100, at_once=8, most_cost=0.3, **PRICED)
    assert asking.progress.ended == "cap"
    assert 0.3 - 0.07 < asking.progress.cost <= 0.3


def test_cap__counts_what_may_have_been_charged(ledger: Ledger) -> None:
    def reply(prompt: str, before: int) -> Answer:
        raise ChatError("timeout", "No answer came in time.")

    model = ScriptedModel(reply)
    answers, asking = _ask(model, ledger, 100, at_once=4, attempts=100, most_cost=1.0, **PRICED)
    assert not answers
    assert asking.progress.ended == "cap"
    assert 0.9 < asking.progress.unsure <= 1.0
    assert asking.progress.unsure == pytest.approx(ledger.totals().unsure)


def test_cap__needs_a_price(ledger: Ledger) -> None:
    with pytest.raises(UserError, match="needs prices"):
        _ask(ScriptedModel(), ledger, most_cost=1.0)


def test_cancel__closes_what_is_under_way(ledger: Ledger) -> None:
    model = ScriptedModel(open_gate=False)

    def look(_number: int) -> None:
        if model.under_way:
            raise JobCancelledError

    with pytest.raises(JobCancelledError):
        _ask(model, ledger, context=RecordingContext(on_check=look))
    assert model.closed
    assert ledger.totals().waiting == len(model.asked) == 1


def test_stop__keeps_what_is_under_way_and_starts_no_more(ledger: Ledger) -> None:
    context = RecordingContext()

    def reply(prompt: str, before: int) -> Answer:
        context.stop_after = 0
        return answer_of(prompt)

    answers, asking = _ask(ScriptedModel(reply), ledger, 50, context)
    assert 1 <= len(answers) < 50
    assert asking.progress.ended == "stopped"
    assert context.steps[-1][:2] == (len(answers), len(answers))


def test_pause__lets_what_was_sent_finish_and_starts_no_request(ledger: Ledger) -> None:
    gate = threading.Event()
    seen: list[int] = []

    def reply(prompt: str, before: int) -> Answer:
        assert prompt == "question 0" or gate.wait(20)
        return answer_of(prompt)

    def look(_number: int) -> None:
        if context.pause_requested:
            gate.set()
            threading.Event().wait(0.3)  # four more are waiting to be asked
            seen.append(len(model.asked))
            context.pause_requested = False
        elif len(model.asked) == 5 and not seen:
            context.pause_requested = True

    context, model = RecordingContext(on_check=look), ScriptedModel(reply)
    answers, _ = _ask(model, ledger, 40, context, at_once=4)
    assert seen == [5]
    assert len(answers) == 40


def test_progress__ends_at_its_total_and_tells_what_it_took(ledger: Ledger) -> None:
    context = RecordingContext()
    _ask(ScriptedModel(), ledger, 9, context, **PRICED)
    assert context.steps[0] == (0, 9, "requests")
    assert context.steps[-1] == (9, 9, "requests")
    told = from_metrics(context.metrics[-1][1])
    assert (told.prompt_tokens, told.answer_tokens, told.cost) == (90, 45, pytest.approx(0.135))
    assert (told.done, told.waiting) == (9, 0)


def test_ledger__takes_over_what_an_ended_program_left_under_way(
    ledger: Ledger, tmp_path: Path
) -> None:
    from sae_desktop.labels.queue import ledger as module

    ask = ask_of("question 0", most_tokens=20)
    ledger.begin(request_of("scripted", ask), 0.25)
    with closing(Ledger(tmp_path / "requests.sqlite")) as other:
        assert other.take_over().count == 0  # the first is alive
        module._alive.clear()
        context = RecordingContext()
        model = ScriptedModel()
        _ask(model, other, 2, context)
        assert other.totals().unsure == 0.25
    assert model.asked.count("question 0") == 1
    assert "1 request was under way" in context.lines[0]
    assert "up to 0.25" in context.lines[0]


def test_ledger__of_another_kind_of_file_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 40)
    with pytest.raises(UserError, match=r"requests\.sqlite.*asked, and paid for, again"):
        Ledger(path)


def test_cap__can_be_raised_while_it_runs(ledger: Ledger) -> None:
    context = RecordingContext()
    context.adjusted = {"most_cost": 2.0}
    limits = {"most_cost": 0.5, **PRICED}
    _, asking = _ask(ScriptedModel(), ledger, 60, context, **limits)
    assert asking.progress.most_cost == 2.0
    assert 0.5 < asking.progress.cost <= 2.0
    assert asking.progress.answered == 60


def test_server_that_wants_a_day__is_left_alone(ledger: Ledger) -> None:
    def reply(prompt: str, before: int) -> Answer:
        raise ChatError("rate", "Come back tomorrow.", retry_after=86_400.0)

    model = ScriptedModel(reply)
    with pytest.raises(UserError, match=r"wait 24\.0 hours.*Come back tomorrow"):
        _ask(model, ledger, 50)
    assert len(model.asked) == 1


def test_cap__is_shared_by_all_that_one_job_asks(ledger: Ledger) -> None:
    limits = QueueLimits(most_cost=0.5, **PRICED)
    spent, costs = QueueProgress(), []
    for start in range(0, 100, 10):
        left = spent.left_of(limits)
        if left is None:
            break
        asks = [(n, ask_of(f"question {n}", most_tokens=20)) for n in range(start, start + 10)]
        with closing(ask_all(asks, ScriptedModel(), ledger, left, SilentContext())) as asking:
            costs += [answer for _, answer in asking]
        spent = spent.and_then(asking.progress)
    assert spent.ended == "cap"
    assert 0.4 < spent.cost <= 0.5
    assert spent.answered == len(costs)
    assert QueueProgress(cost=0.3, unsure=0.2).left_of(limits) is None
    assert QueueProgress(cost=9.0).left_of(QueueLimits()) == QueueLimits()


def test_progress__of_two_queues_is_that_of_one_job() -> None:
    first = QueueProgress(total=5, answered=3, failed=2, failures={"server": 2}, most_cost=2.0)
    later = QueueProgress(total=2, kept=1, failed=1, failures={"server": 1}, cost=0.1, ended="cap")
    assert first.and_then(later) == QueueProgress(
        total=7, answered=3, kept=1, failed=3, failures={"server": 3}, cost=0.1, most_cost=2.0,
        ended="cap",
    )  # fmt: skip
