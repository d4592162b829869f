"""Windows hold every token of every document once, and go on from any place as if never left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.windows import Encoded, ReadingPoint, RoleSpan, Window, WindowPlan, windows
from sae_desktop.errors import UserError

BOS, END, SEPARATOR = 1, 2, 3


def byte_ids(document: Document) -> Encoded:
    return Encoded([byte + 10 for byte in document.text.encode()])


class Case(NamedTuple):
    plan: WindowPlan
    documents: list[Document]


@st.composite
def cases(draw: st.DrawFn, packing: str | None = None) -> Case:
    texts = draw(st.lists(st.text("abcdefgh", max_size=30), min_size=1, max_size=8))
    prefix, suffix = draw(st.sampled_from([((), ()), ((BOS,), ()), ((BOS,), (END,))]))
    minimum = draw(st.integers(1, 4))
    size = max(draw(st.integers(1, 12)) + len(prefix) + len(suffix), minimum)
    settings = CorpusSettings(
        order="files",
        context_size=size,
        packing=packing or draw(st.sampled_from(["document", "packed"])),  # type: ignore[arg-type]
    )
    separator = draw(st.sampled_from([(), (SEPARATOR,)])) if settings.packing == "packed" else ()
    plan = WindowPlan(settings, prefix, suffix, separator, minimum)
    # Ordinals have gaps where duplicates were left out.
    documents = [Document(2 * number, text, "s", "", "") for number, text in enumerate(texts)]
    return Case(plan, documents)


def made(case: Case, start: ReadingPoint | None = None) -> list[Window]:
    return list(windows(case.plan, byte_ids, start, case.documents))


def text_ids(plan: WindowPlan, window: Window) -> list[int]:
    return window.ids[len(plan.prefix) : len(window.ids) - len(plan.suffix)]


@given(cases())
def test_windows__hold_every_token_once_in_order(case: Case) -> None:
    plan = WindowPlan(case.plan.settings, case.plan.prefix, case.plan.suffix, case.plan.separator)
    found = made(Case(plan, case.documents))
    expected = [
        token
        for document in case.documents
        if document.text
        for token in [*byte_ids(document).ids, *plan.separator]
    ]
    assert [token for window in found for token in text_ids(plan, window)] == expected


@given(cases())
def test_spans__partition_a_window_and_name_the_tokens_of_its_documents(case: Case) -> None:
    for window in made(case):
        ids = text_ids(case.plan, window)
        assert tuple(window.ids[: len(case.plan.prefix)]) == case.plan.prefix
        assert tuple(window.ids[len(window.ids) - len(case.plan.suffix) :]) == case.plan.suffix
        assert sum(span.length for span in window.spans) == len(ids)
        first = 0
        for span in window.spans:
            whole = [*byte_ids(span.document).ids, *case.plan.separator]
            assert span.length > 0
            assert ids[first : first + span.length] == whole[span.offset :][: span.length]
            first += span.length
        if case.plan.settings.packing == "document":
            assert len(window.spans) == 1


@given(cases())
def test_windows__keep_to_their_size_and_to_the_minimum(case: Case) -> None:
    found = made(case)
    size = case.plan.settings.context_size
    assert all(case.plan.minimum <= len(window.ids) <= size for window in found)
    if case.plan.settings.packing == "packed":
        assert all(len(window.ids) == size for window in found[:-1])


@given(cases())
def test_windows__go_on_from_the_place_of_each_as_if_never_left(case: Case) -> None:
    whole = made(case)
    for number, window in enumerate(whole):
        span = window.spans[0]
        rest = made(case, ReadingPoint(span.document.ordinal, span.offset))
        assert [(w.ids, w.spans) for w in rest] == [(w.ids, w.spans) for w in whole[number:]]
        # The place after the window's last token is as good.
        end = window.spans[-1]
        after = made(case, ReadingPoint(end.document.ordinal, end.offset + end.length))
        assert after == whole[number + 1 :]


@given(cases(), st.integers(0, 18), st.integers(0, 35))
def test_windows__from_any_place_hold_the_tokens_after_it_once(
    case: Case, ordinal: int, offset: int
) -> None:
    plan = WindowPlan(case.plan.settings, case.plan.prefix, case.plan.suffix, case.plan.separator)
    found = made(Case(plan, case.documents), ReadingPoint(ordinal, offset))
    expected = []
    for document in case.documents:
        ids = [*byte_ids(document).ids, *plan.separator] if document.text else []
        if document.ordinal >= ordinal:
            expected += ids[offset:] if document.ordinal == ordinal else ids
    assert [token for window in found for token in text_ids(plan, window)] == expected


def write(path: Path, texts: list[str]) -> CorpusSettings:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return CorpusSettings(order="files", corpus=str(path), context_size=5)


def test_windows__begin_with_bos_and_hold_one_document(tmp_path: Path) -> None:
    plan = WindowPlan(write(tmp_path / "c.jsonl", ["abcdefghij", "xyz"]), prefix=(BOS,))
    found = list(windows(plan, byte_ids))
    spans = [window.spans[0] for window in found]
    assert [(span.document.ordinal, span.offset, span.length) for span in spans] == [
        (0, 0, 4),
        (0, 4, 4),
        (0, 8, 2),
        (1, 0, 3),
    ]
    assert all(window.ids[0] == BOS for window in found)


def test_windows__before_the_place_are_read_but_not_tokenised(tmp_path: Path) -> None:
    plan = WindowPlan(write(tmp_path / "c.jsonl", ["abc" * n for n in range(1, 9)]), prefix=(BOS,))
    whole = list(windows(plan, byte_ids))
    seen: list[str] = []

    def encode(document: Document) -> Encoded:
        seen.append(document.text)
        return byte_ids(document)

    for number, window in enumerate(whole):
        seen.clear()
        span = window.spans[0]
        assert (
            list(windows(plan, encode, ReadingPoint(span.document.ordinal, span.offset)))
            == (whole[number:])
        )
        assert seen[0] == span.document.text


def test_windows__go_on_among_duplicates_as_if_never_left(tmp_path: Path) -> None:
    texts = ["abcdefghi", "xyz", "abcdefghi", "", "pqrstuvw", "xyz", "the last of them"]
    plan = WindowPlan(write(tmp_path / "c.jsonl", texts), prefix=(BOS,))
    whole = list(windows(plan, byte_ids))
    assert {window.spans[0].document.ordinal for window in whole} == {0, 1, 3, 5}
    for number, window in enumerate(whole):
        span = window.spans[0]
        start = ReadingPoint(span.document.ordinal, span.offset)
        assert list(windows(plan, byte_ids, start)) == whole[number:]


def test_roles__go_with_every_window_of_their_document() -> None:
    plan = WindowPlan(CorpusSettings(order="files", context_size=3))
    roles = (RoleSpan("user", 0, 2), RoleSpan("assistant", 2, 3))
    document = Document(0, "abcde", "s", "", "")
    found = windows(plan, lambda d: Encoded(byte_ids(d).ids, roles), documents=[document])
    assert [window.spans[0].roles for window in found] == [roles, roles]


def test_windows__of_a_corpus_without_a_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    plan = WindowPlan(CorpusSettings(order="files", corpus=str(tmp_path / "empty.txt")))
    with pytest.raises(UserError, match="is empty"):
        list(windows(plan, byte_ids))
