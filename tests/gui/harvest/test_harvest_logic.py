"""What the Harvest panel knows apart from its widgets: sites, plans, words."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from frame_harvest import (
    HOOKS,
    PARALLEL,
    corpus,
    estimate,
    model,
    preview,
    site_figures,
    sites,
    store_description,
)

from sae_desktop.activations.config import HarvestConfig, VerifyResult
from sae_desktop.corpus.config import ColumnDescription, CorpusSettings
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import what_is
from sae_desktop.gui.harvest import harvest_draft as draft
from sae_desktop.gui.state.drops import harvest_fields
from sae_desktop.gui.state.store_actions import extension
from sae_desktop.words import site_words
from sae_desktop.words.corpus_card import (
    column_choices,
    corpus_text,
    notes_text,
    policy_text,
    role_runs,
    window_heading,
)
from sae_desktop.words.inventory import StoreItem
from sae_desktop.words.model_card import code_text, memory_fits, memory_text, model_figures
from sae_desktop.words.store_text import damage, norm_text, store_summary, verified_text

CONFIG = HarvestConfig(project="/p", name="acts", site="blocks.2.hook_resid_post", tokens=1_000)


def store(rows: int, harvest: HarvestConfig | None = CONFIG) -> StoreItem:
    return StoreItem(
        name="acts",
        rows=rows,
        rows_wanted=harvest.tokens if harvest else rows,
        width=32,
        model="builtin",
        site=CONFIG.site,
        corpus="builtin",
        bytes=1,
        modified=datetime.datetime(2026, 1, 1),
        harvest=harvest,
    )


def changed(**values: Any) -> HarvestConfig:
    return msgspec.structs.replace(CONFIG, **values)


# ---------------------------------------------------------------------- sites
def test_sites__are_said_in_words_with_their_shapes() -> None:
    shapes = site_words.site_shapes(model())
    assert site_words.site_text("blocks.15.mlp.hook_post", "1,536 wide") == (
        "Layer 15: MLP neurons, 1,536 wide"
    )
    assert shapes["blocks.1.mlp.hook_post"] == "128 wide"
    assert shapes["blocks.1.attn.hook_z"] == "4 heads × 8"
    assert site_words.site_text("embed") == "embed"


def test_sites__a_shape_that_is_one_number_is_a_width() -> None:
    described = model(1, site_shapes=["32"] * len(HOOKS))
    assert site_words.site_shapes(described)["blocks.0.mlp.hook_post"] == "128 wide"


def test_sites__without_widths_are_as_wide_as_the_model() -> None:
    shapes = site_words.site_shapes(model(site_widths=[], site_shapes=[]))
    assert set(shapes.values()) == {"32 wide"}


def test_sites__come_in_the_order_of_the_forward_pass() -> None:
    shuffled = list(reversed(sites(3)))
    points = site_words.site_points(shuffled)
    assert [point.site for point in points] == sites(3)
    assert [point.hook for point in points[: len(HOOKS)]] == list(HOOKS)


def test_sites__without_a_place_in_the_drawing_are_named() -> None:
    names = [*sites(1), "blocks.0.hook_strange", "embed"]
    assert site_words.unnamed_sites(names) == ["blocks.0.hook_strange", "embed"]


def test_sites__of_a_hook_and_of_a_layer() -> None:
    names = sites(3, PARALLEL)
    assert site_words.same_hook(names, "blocks.1.mlp.hook_in") == [
        f"blocks.{layer}.mlp.hook_in" for layer in range(3)
    ]
    assert site_words.same_layer(names, "blocks.1.mlp.hook_in") == names[7:14]


# ---------------------------------------------------------------------- what becomes of a name
def test_plan__is_a_new_store_where_the_name_is_free() -> None:
    assert draft.store_plan(CONFIG, []).kind == "new"
    assert draft.store_plan(CONFIG, []).sentence() == ""


def test_plan__resumes_what_was_interrupted() -> None:
    plan = draft.store_plan(CONFIG, [store(400)])
    assert plan.kind == "resume"
    assert plan.sentence() == "Resumes “acts”: 400 rows are done, 600 left."


def test_plan__more_tokens_of_the_same_are_an_extension() -> None:
    plan = draft.store_plan(changed(tokens=201_000), [store(1_000)])
    assert plan.kind == "extend"
    assert plan.sentence() == "Adds 200,000 tokens to “acts”."
    assert not draft.problems(changed(tokens=201_000), model(), [store(1_000)])


@pytest.mark.parametrize("field", ["batch_tokens", "commit_seconds"])
def test_plan__how_a_harvest_runs_does_not_make_it_another(field: str) -> None:
    config = changed(tokens=2_000, device="cuda", project="/moved", **{field: 7})
    assert draft.store_plan(config, [store(1_000)]).kind == "extend"


def test_plan__says_in_what_a_harvest_of_that_name_differs() -> None:
    config = changed(tokens=2_000, corpus="/texts", seed=3)
    found = draft.problems(config, model(), [store(1_000)])
    assert found["name"] == "“acts” holds a different harvest (text, seed). Choose another name."


def test_plan__imported_activations_cannot_be_added_to() -> None:
    assert draft.store_plan(CONFIG, [store(500, None)]).kind == "taken"
    assert extension(store(500, None)) is None


def test_plan__a_complete_store_asks_for_more_tokens() -> None:
    found = draft.problems(CONFIG, model(), [store(1_000)])
    assert found["tokens"].startswith("“acts” holds 1,000 rows of this already.")


def test_extension__doubles_what_is_complete_and_completes_what_is_not() -> None:
    complete, begun = extension(store(1_000)), extension(store(300))
    assert complete is not None
    assert complete.tokens == 2_000
    assert draft.store_plan(complete, [store(1_000)]).kind == "extend"
    assert begun is not None
    assert begun.tokens == 1_000


def test_names__tell_model_site_and_how_many_more() -> None:
    config = changed(site="blocks.1.mlp.hook_post", sites=("blocks.2.hook_mlp_out",))
    assert draft.default_name(config, []) == "builtin-L1-mlp_post+1"
    taken = replace(store(1_000), name="builtin-L1-mlp_post+1")
    assert draft.default_name(config, [taken]) == "builtin-L1-mlp_post+1-2"
    packed = changed(model="/models/Smol LM.Q4_1.gguf", site="")
    assert draft.default_name(packed, []) == "Smol-LM-Q4_1"


def test_names__of_a_harvest_that_was_broken_off_are_its_own_so_that_it_goes_on() -> None:
    begun = store(300)
    assert draft.default_name(changed(name=""), [begun]) == begun.name
    assert draft.store_plan(changed(name=begun.name), [begun]).kind == "resume"
    running = frozenset({("store", begun.name)})
    for other in (
        draft.default_name(changed(name=""), [store(1_000)]),
        draft.default_name(changed(name="", tokens=2_000), [begun]),
        draft.default_name(changed(name="", context_size=7), [begun]),
        draft.default_name(changed(name=""), [begun], running),
    ):
        assert other != begun.name


# ---------------------------------------------------------------------- problems
def test_problems__name_the_field_they_belong_to() -> None:
    config = changed(name="no/slash", context_size=1_024, corpus="", bos="always")
    found = draft.problems(config, model(bos_token=""), [])
    assert set(found) == {"name", "context_size", "corpus", "bos"}
    assert "256 at most" in found["context_size"]
    assert draft.problems(changed(context_size=3), None, [])["context_size"] == (
        "It must be at least 4."
    )


def test_problems__of_a_model_come_first() -> None:
    untrusted = model(code_files=["modeling.py"], code_digest="d")
    assert "not trusted" in draft.problems(CONFIG, untrusted, [])["model"]
    trusted = model(code_files=["modeling.py"], code_digest="d", code_trusted=True)
    assert not draft.problems(CONFIG, trusted, [])
    assert "not on this machine" in draft.problems(CONFIG, model(cached=False), [])["model"]


def test_problems__name_a_further_site_the_model_lacks() -> None:
    config = changed(sites=("blocks.9.hook_mlp_out",))
    assert "blocks.9.hook_mlp_out" in draft.problems(config, model(), [])["site"]


# ---------------------------------------------------------------------- estimate
def test_estimate__says_disk_time_memory_and_batch() -> None:
    found = estimate(memory_bytes=900_000_000, free_memory_bytes=2e9, batch_tokens=4_096)
    config = changed(tokens=500_000, sites=("blocks.1.hook_mlp_out",))
    assert draft.estimate_text(found, config) == (
        "500,000 tokens at 2 sites: ≈ 256 MB on disk (12 GB free); about 3 min at 2.8k tokens "
        "per second; 900 MB of memory (2 GB free); 4,096 tokens per pass, as detected."
    )
    given = msgspec.structs.replace(config, batch_tokens=4_096)
    assert "as found" not in draft.estimate_text(found, given)


def test_estimate__warns_where_memory_may_not_do() -> None:
    assert draft.memory_warning(estimate(memory_bytes=3e9, free_memory_bytes=2e9)).startswith(
        "It may not fit in memory: 3 GB needed, 2 GB free."
    )
    assert draft.memory_warning(estimate(memory_bytes=3e9)) == ""


# ---------------------------------------------------------------------- the model's card
def test_model__figures_leave_out_what_is_not_known() -> None:
    names = [what for what, _ in model_figures(model(parameters=0, bos_token=""))]
    assert names == ["Architecture", "Layers × width", "Context", "Vocabulary", "Chat template"]
    figures = dict(model_figures(model(heads=9, key_value_heads=3, experts=8, eos_token="</s>")))
    assert figures["Heads"] == "9, 3 for keys and values"
    assert figures["Experts"] == "8 per layer"
    assert figures["Special tokens"] == "<s> </s>"


def test_model__says_in_words_when_it_does_not_fit() -> None:
    large = model(memory_bytes=140e9, free_memory_bytes=6e9, dtype="bfloat16", device="cpu")
    assert not memory_fits(large)
    assert memory_text(large).startswith(
        "Does not fit: it takes 140 GB of memory as bfloat16, and 6 GB are free on the CPU."
    )
    small = model(memory_bytes=1e9, free_memory_bytes=6e9)
    assert memory_text(small) == "Takes 1 GB of memory; 6 GB are free."
    assert memory_text(model()) == ""


def test_model__says_what_its_program_code_could_do() -> None:
    text = code_text(model(code_files=["a.py", "b.py"], code_digest="d"))
    assert "a.py, b.py" in text
    assert "delete your files" in text
    assert code_text(model(code_files=["a.py"], code_trusted=True)) == ""


# ---------------------------------------------------------------------- the corpus
def test_corpus__leaves_out_what_was_not_counted() -> None:
    assert corpus_text(corpus()) == "3 documents, 2 kB: English, German."
    assert corpus_text(corpus(documents=-1, bytes=-1, format="Parquet", languages=[])) == "Parquet."


def test_corpus__policy_is_said_in_words() -> None:
    assert policy_text(CorpusSettings()) == (
        "Windows of up to 128 tokens, each from a single document; the BOS token first if the "
        "model has one; exact duplicates left out."
    )
    packed = CorpusSettings(packing="packed", bos="never", special_tokens="text", deduplicate=False)
    assert policy_text(packed) == (
        "Windows of 128 tokens, filled with one document after another; no BOS token; special "
        "tokens’ names read as plain text; duplicates kept."
    )


def test_corpus__notes_tell_the_policy_and_the_duplicates() -> None:
    settings = CorpusSettings()
    assert notes_text(settings, None) == policy_text(settings)
    assert notes_text(settings, corpus()) == policy_text(settings)
    told = corpus(notes=["Each window begins with <s>."], duplicates=3)
    assert notes_text(settings, told).splitlines() == [
        "Each window begins with <s>.",
        "3 of the documents read so far are exact duplicates: left out.",
    ]


def test_corpus__offers_columns_of_texts_and_chats_only() -> None:
    columns = [
        ColumnDescription(name="prompt", kind="text", example="Hi"),
        ColumnDescription(name="messages", kind="chat", example="user: Hi"),
        ColumnDescription(name="id", kind="other", example="7"),
    ]
    choices = column_choices(corpus(columns=columns, column="prompt"))
    assert [choice.text for choice in choices] == ["Auto: prompt", "prompt", "messages (chat)"]
    assert (choices[2].text_column, choices[2].chat_column) == ("", "messages")
    assert column_choices(corpus()) == []


def test_corpus__windows_are_cut_where_the_role_changes() -> None:
    window = preview(["a", "b", "c"], roles=["user", "user", "assistant"])
    assert [(run.role, run.first, run.end) for run in role_runs(window)] == [
        ("user", 0, 2),
        ("assistant", 2, 3),
    ]
    assert [run.role for run in role_runs(preview(["a", "b"]))] == [""]


def test_corpus__window_headings_elide_long_sources_in_the_middle() -> None:
    window = preview(["a"], source="/home/" + "x" * 100 + "/end.parquet", metadata={"stars": "5"})
    heading = window_heading(2, window)
    assert heading.startswith("Window 2 · 1 token · T · /home/xxx")
    assert "end.parquet · English · stars: 5" in heading
    assert len(heading) < 100


# ---------------------------------------------------------------------- stores
def test_store__says_which_rows_are_massive() -> None:
    text = norm_text(site_figures("s"))
    assert text == (
        "Median norm 20. 12 rows are over 10× that. "
        "Of the windows’ 11 first tokens 10 are (mean norm 3,000)."
    )
    none = site_figures("s", massive_rows=0, massive_first_rows=0, first_norm=None)
    assert norm_text(none) == "Median norm 20. No row is over 10× that."


def test_store__summary_names_segments_only_where_there_are_several() -> None:
    one = store_description("acts", ["s"], rows=4_000)
    assert store_summary(one) == "4,000 rows · 11 windows · 2 documents · 64 kB as float16"
    begun = store_description("acts", ["s"], segments=2)
    assert store_summary(begun).startswith("1,012 of 4,000 rows")
    assert "2 segments" in store_summary(begun)


def test_store__verification_names_what_is_damaged() -> None:
    sound = VerifyResult(name="acts", blocks=512, bytes=614_000_000, damaged=[])
    assert verified_text(sound) == "“acts”, 512 blocks, 614 MB: all intact."
    damaged = [f"block {n}" for n in range(5)]
    error = damage(VerifyResult(name="acts", blocks=512, bytes=1, damaged=damaged))
    assert error.what == (
        "5 of 512 blocks of “acts” are damaged: block 0; block 1; block 2; and 2 more."
    )
    assert error.details.splitlines() == damaged
    assert error.next_step


# ---------------------------------------------------------------------- drops
def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return paths


def test_drops__tables_datasets_and_source_trees_are_texts(tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet", "a.arrow", "a.jsonl"):
        assert what_is(tmp_path / name).kind == "corpus"
    make(tmp_path / "tree", "pkg/deep/module.py", ".git/config.txt")
    make(tmp_path / "saved", "dataset_info.json", "data-00000.arrow")
    make(tmp_path / "hidden", ".cache/a.txt")
    assert what_is(tmp_path / "tree").kind == "corpus"
    assert what_is(tmp_path / "saved").kind == "corpus"
    assert what_is(tmp_path / "hidden").kind is None


def test_drops__a_folder_with_one_gguf_file_is_that_model(tmp_path: Path) -> None:
    (file,) = make(tmp_path / "m", "model.gguf")
    assert what_is(tmp_path / "m").path == file


def test_drops__a_model_and_a_text_fill_both(tmp_path: Path) -> None:
    text, packed = make(tmp_path, "a.txt", "m/model.gguf")
    assert harvest_fields([text, packed]) == {"model": str(packed), "corpus": str(text)}


def test_drops__all_texts_of_a_folder_are_that_folder(tmp_path: Path) -> None:
    paths = make(tmp_path / "t", "a.txt", "b.txt")
    assert harvest_fields(paths) == {"corpus": str(tmp_path / "t")}


def test_drops__refuse_files_that_are_not_one_corpus(tmp_path: Path) -> None:
    paths = make(tmp_path / "t", "a.txt", "b.txt", "c.txt")
    with pytest.raises(UserError, match="1 other file"):
        harvest_fields(paths[:2])
    mixed = make(tmp_path / "mixed", "a.txt", "b.csv")
    with pytest.raises(UserError, match="Texts and tables"):
        harvest_fields(mixed)
    apart = make(tmp_path, "x/a.txt", "y/b.txt")
    with pytest.raises(UserError, match="do not make up one corpus"):
        harvest_fields(apart)
    with pytest.raises(UserError, match="is a file of activations"):
        harvest_fields(make(tmp_path, "a.npy"))
    with pytest.raises(UserError, match="2 models"):
        harvest_fields([tmp_path / "a.gguf", tmp_path / "b.gguf"])
