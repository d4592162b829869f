"""What is asked of a model, what it answers, and what kept it from answering."""

from __future__ import annotations

import typing

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Answer, AnsweredToken, Ask, ChatError, ErrorKind, Message


def test_ask_and_answer__survive_a_file() -> None:
    ask = Ask((Message("user", "ü"),), schema={"type": "object"}, logprobs=3)
    answer = Answer("a", "b", logprobs=(AnsweredToken("a", -0.5, (("a", -0.5), ("b", -2.0))),))
    assert msgspec.json.decode(msgspec.json.encode(ask), type=Ask) == ask
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


def test_chat_error__of_each_kind_ends_all_or_passes_or_concerns_one_question() -> None:
    kinds = typing.get_args(ErrorKind)
    fatal = {kind for kind in kinds if ChatError(kind, "").fatal}
    passing = {kind for kind in kinds if ChatError(kind, "").passing}
    assert not fatal & passing
    assert {"key", "certificate", "no_model"} <= fatal
    assert {"rate", "timeout"} <= passing
    assert set(kinds) - fatal - passing == {"refused", "malformed", "too_long"}


def test_chat_error__reads_as_an_error_for_a_person() -> None:
    error = ChatError("rate", "Too many requests.", next_step="Wait.", retry_after=2.5)
    assert isinstance(error, UserError)
    assert str(error) == "Too many requests. Wait."
    assert error.retry_after == 2.5
