"""A corpus is described by what is in it, in windows of the model's own tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from job_contexts import RecordingContext

from sae_desktop.activations import describe_corpus as module
from sae_desktop.activations.describe_corpus import describe_corpus
from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig
from sae_desktop.corpus.windows import windows
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows
from sae_desktop.words.corpus_card import column_choices


def described(corpus: Path, model: Path | str, **rest: Any) -> CorpusDescription:
    config = DescribeCorpusConfig(
        corpus=str(corpus), model=str(model), **{"context_size": 32, "order": "files", **rest}
    )
    return describe_corpus(config, RecordingContext())


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = [
        {"text": f"text {n} é", "source": f"s{n % 2}", "language": f"l{n % 3}", "score": n}
        for n in range(9)
    ]
    return write(tmp_path / "c.jsonl", [*rows, rows[2]])


def test_description__counts_and_lists_the_kinds(corpus: Path, toy_model_folder: Path) -> None:
    said = described(corpus, toy_model_folder, preview=2)
    assert (said.documents, said.duplicates) == (9, 1)
    assert (said.bytes, said.format) == (corpus.stat().st_size, "JSON lines")
    assert (said.sources, said.languages) == (["s0", "s1"], ["l0", "l1", "l2"])
    assert said.column == "text"
    assert [(c.name, c.kind, c.example) for c in said.columns] == [
        ("text", "text", "text 0 é"),
        ("source", "text", "s0"),
        ("language", "text", "l0"),
        ("score", "other", "0"),
    ]
    assert len(said.preview) == 2
    assert said.preview[1].tokens[0] == "<|bos|>"
    assert "".join(said.preview[1].tokens[1:]).startswith("text 1 ")
    assert said.preview[1].special == [True] + [False] * (len(said.preview[1].tokens) - 1)
    assert said.preview[1].metadata == {"score": "1"}
    assert said.preview[1].roles == []


def test_description__without_a_preview_counts_all_the_same(
    corpus: Path, toy_model_folder: Path
) -> None:
    said = described(corpus, toy_model_folder, preview=0)
    assert (said.documents, said.preview) == (9, [])


def test_duplicates__are_counted_where_they_are_kept(corpus: Path, toy_model_folder: Path) -> None:
    said = described(corpus, toy_model_folder, deduplicate=False)
    assert (said.documents, said.duplicates) == (10, 1)


@pytest.mark.parametrize("packing", ["document", "packed"])
def test_preview__is_the_first_windows_as_a_harvest_would_cut_them(
    toy_model_folder: Path, packing: str
) -> None:
    config = DescribeCorpusConfig(
        corpus="builtin",
        model=str(toy_model_folder),
        context_size=24,
        packing=packing,  # type: ignore[arg-type]
        preview=5,
        order="files",
    )
    lm = load_model(str(toy_model_folder))
    names = lm.token_bytes()
    expected = windows(plan_windows(lm, config), document_encoder(lm, config))
    for preview in describe_corpus(config, RecordingContext()).preview:
        window = next(expected)
        assert len(preview.tokens) == len(window.ids)
        assert preview.title == window.spans[0].document.title
        plain = [t for t in zip(preview.tokens, window.ids, strict=True) if t[0].isascii()]
        assert all(token == names[token_id].decode() for token, token_id in plain)


def test_notes__say_the_policy_and_what_was_left_out(
    tmp_path: Path, toy_model_folder: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_bytes(b"\x89PNG\0")
    said = described(tmp_path, toy_model_folder, packing="packed", special_tokens="text")
    assert said.notes == [
        "Each window begins with <|bos|>. Windows are filled with one document after another, "
        "<|eos|> after each. The name of a special token in a text is read letter by letter.",
        "Left out: 1 binary file.",
    ]
    assert said.preview[0].special == [True, False, True]


def test_windows_longer_than_the_model_reads__are_shown_shorter(
    corpus: Path, toy_model_folder: Path
) -> None:
    said = described(corpus, toy_model_folder, context_size=4096)
    assert "Shown in windows of 64 tokens" in said.notes[0]


def test_chat__without_a_template_is_shown_as_it_is_read(
    tmp_path: Path, toy_model_folder: Path
) -> None:
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    path = write(tmp_path / "c.jsonl", [{"messages": chat, "id": 1}])
    said = described(path, toy_model_folder)
    assert said.column == "messages"
    assert [c.kind for c in said.columns] == ["chat", "other"]
    assert "".join(said.preview[0].tokens[1:]) == "user: hi\n\nassistant: ho"
    assert any("has no chat template" in note for note in said.notes)
    with pytest.raises(UserError, match="has no chat template"):
        described(path, toy_model_folder, chat_column="messages")


def test_chat__is_shown_with_the_role_of_every_token(
    tmp_path: Path, toy_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = load_model(str(toy_model_folder))
    template = "{% for m in messages %}{{ m['role'] + ':' + m['content'] + eos_token }}{% endfor %}"
    monkeypatch.setattr(lm.tokenizer, "chat_template", template)
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    path = write(tmp_path / "c.jsonl", [{"messages": chat}])
    said = described(path, toy_model_folder, packing="packed")
    (shown,) = said.preview
    assert len(shown.roles) == len(shown.tokens)
    by_role = {
        role: "".join(t for t, r in zip(shown.tokens, shown.roles, strict=True) if r == role)
        for role in dict.fromkeys(shown.roles)
    }
    assert by_role == {
        "": "<|bos|><|eos|>",
        "user": "user:hi<|eos|>",
        "assistant": "assistant:ho<|eos|>",
    }
    assert any("put through the chat template" in note for note in said.notes)


def test_description__does_without_a_model(corpus: Path, tmp_path: Path) -> None:
    said = described(corpus, tmp_path / "none")
    assert said.preview[0].tokens == ["text", " 0", " é"]
    assert said.preview[0].special == [False] * 3
    assert said.documents == 9


@pytest.mark.parametrize("line", ['{"text": "a"}', '{"text": " "}'])
def test_what_takes_long__is_not_counted_even_where_no_document_comes(
    tmp_path: Path, toy_model_folder: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.0)
    path = tmp_path / "long.jsonl"
    path.write_text('{"text": "first"}\n' + f"{line}\n" * 9000)
    said = described(path, toy_model_folder)
    assert said.documents == -1
    assert said.preview


def test_description__can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text('{"text": "a"}\n' * 9000)
    with pytest.raises(JobCancelledError):
        describe_corpus(DescribeCorpusConfig(corpus=str(path)), RecordingContext(cancel_after=0))


def test_empty_corpus__is_refused(tmp_path: Path, toy_model_folder: Path) -> None:
    (tmp_path / "e.txt").write_text("\n\n")
    with pytest.raises(UserError, match="is empty"):
        described(tmp_path / "e.txt", toy_model_folder)


def test_table_whose_column_is_not_clear__is_described_by_its_columns(
    tmp_path: Path, toy_model_folder: Path
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("first,second\nred apple,green pear\nblue sky,grey sea\n")
    said = described(path, toy_model_folder)
    assert "not clear which column" in said.problem
    assert (said.documents, said.column, said.preview) == (0, "", [])
    assert [(c.name, c.example) for c in said.columns] == [
        ("first", "red apple"),
        ("second", "green pear"),
    ]
    choices = column_choices(said)
    assert [choice.text for choice in choices] == ["Choose a column", "first", "second"]
    chosen = described(path, toy_model_folder, text_column=choices[2].text_column)
    assert (chosen.problem, chosen.column, chosen.documents) == ("", "second", 2)


def test_tables_that_differ__offer_a_column_for_each(
    tmp_path: Path, toy_model_folder: Path
) -> None:
    (tmp_path / "a.csv").write_text("headline,body\nh,text a\n")
    (tmp_path / "b.csv").write_text("summary,review\ns,text c\n")
    said = described(tmp_path, toy_model_folder, text_column="body")
    assert said.column == "body"
    offered = [choice.text_column for choice in column_choices(said, "body")]
    assert "body | review" in offered
    assert [Path(table.name).name for table in said.tables if not table.column] == ["b.csv"]
    assert any("b.csv" in note for note in said.notes)
    both = described(tmp_path, toy_model_folder, text_column="body | review")
    assert both.documents == 2
