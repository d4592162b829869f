"""Captions with a concept clamped: words that name it, counts by hand, and a planted direction."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from cli_process import Done, sae_desktop
from job_contexts import RecordingContext
from safetensors.torch import load_file, save_file
from scipy.stats import binomtest
from toy_index import make_toy_index
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.benchmark.captions.captioning import Asked, Captioner
from sae_desktop.benchmark.captions.choosing import _area
from sae_desktop.benchmark.captions.config import (
    CAPTION_WAYS,
    CaptionChangesConfig,
    CaptionChangesResult,
    CaptionWay,
    ChosenConcept,
    ConceptFeature,
)
from sae_desktop.benchmark.captions.job import caption_changes
from sae_desktop.benchmark.captions.naming import names, spoken_words
from sae_desktop.benchmark.captions.outcomes import (
    Outcome,
    Setting,
    Written,
    counted,
    rows_of,
    ways_of,
)
from sae_desktop.benchmark.kinds.instances import LANGUAGES, read_concepts
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, Intervention, Sampling, SteerConfig, Variant
from sae_desktop.steering.job import steer
from sae_desktop.steering.prepare import Preparer
from sae_desktop.words.captions_text import captions_csv, verdict_text

_FEATURE = 5


# ---------------------------------------------------------------- words
def test_words__are_the_forms_without_articles_and_in_english_the_synonyms() -> None:
    concepts = {one.name: one for one in read_concepts()}
    assert spoken_words(concepts["horse"], "en")[:4] == ["horse", "horses", "stallion", "mare"]
    assert spoken_words(concepts["horse"], "de") == ["pferd", "pferde"]
    assert spoken_words(concepts["bird"], "fr") == ["oiseau", "oiseaux"]
    assert spoken_words(concepts["France"], "fr") == ["france"]
    assert spoken_words(concepts["joy"], "fr") == ["joie"]
    assert spoken_words(concepts["bread"], "en")[0] == "bread"
    assert "slice of toast" in spoken_words(concepts["bread"], "en")
    for concept in concepts.values():
        for language in LANGUAGES:
            words = spoken_words(concept, language)
            assert words
            assert all(word == word.casefold().strip() != "" for word in words)
    with pytest.raises(UserError, match="no word in the language “la”"):
        spoken_words(concepts["horse"], "la")


def test_a_caption__names_a_concept_by_a_whole_word_whatever_its_case() -> None:
    words = ["horse", "horses", "l’eau", "grösse"]
    for caption in ("Horse face", "two HORSES.", "a horse-drawn cart", "Größe", "l'eau froide"):
        assert names(caption, words), caption
    for caption in ("seahorse", "horseshoe", "a cat", "", "ahorse"):
        assert not names(caption, words), caption


# ---------------------------------------------------------------- counts
def _outcome(
    place: int, way: CaptionWay, strength: float, changed: str, *, before: bool = False,
    broken: bool = False, named: bool | None = None,
) -> Outcome:  # fmt: skip
    likely = -float(len(changed)) if changed else None
    return Outcome(
        concept="horse", picture=f"p{place}", place=place, setting=Setting(way, "all", strength),
        plain=Written("a cat", False, -1.0), changed=Written(changed, broken, likely),
        named_before=before, named="horse" in changed if named is None else named,
    )  # fmt: skip


def test_counts__are_those_of_captions_that_changed_named_and_broke() -> None:
    of_row = [
        _outcome(0, "feature", 2, "a cat"),
        _outcome(1, "feature", 2, "a horse"),
        _outcome(2, "feature", 2, "horse", before=True),
        _outcome(3, "feature", 2, "", broken=True),
    ]
    counts = counted(of_row)
    assert (counts.changed.count, counts.changed.of, counts.broken.count) == (3, 4, 1)
    # What the plain caption names already cannot tell anything.
    assert (counts.named.count, counts.named.of) == (1, 3)
    interval = binomtest(1, 3).proportion_ci(method="wilson")
    assert (counts.named.low, counts.named.high) == pytest.approx(interval)
    assert (counted([]).named.low, counted([]).named.high) == (0, 1)
    assert counts.log_probability == pytest.approx(-(5 + 7 + 5) / 3)
    (row,) = rows_of(of_row)
    assert (row.concept, row.way, row.strength) == ("horse", "feature", 2)
    assert [pair.changed for pair in row.pairs] == ["a horse", "horse", ""]


def test_a_setting__is_chosen_on_even_pictures_and_counted_on_the_others() -> None:
    outcomes = [
        *(_outcome(place, "feature", 2, "a horse" if place % 2 else "a cat") for place in range(6)),
        *(_outcome(place, "feature", 8, "a cat" if place % 2 else "a horse") for place in range(6)),
        *(_outcome(place, "asked", 0, "a horse", broken=place == 1) for place in range(6)),
    ]
    feature, asked = ways_of(outcomes)
    assert (feature.way, feature.strength) == ("feature", 8)
    assert (feature.counts.named.count, feature.counts.named.of) == (0, 3)
    assert (asked.way, asked.counts.named.count, asked.counts.broken.count) == ("asked", 3, 1)
    # Of two that name it as often the one that breaks fewer, then the weaker one.
    even = [
        _outcome(0, "feature", 8, "a horse", broken=True), _outcome(0, "feature", 4, "a horse"),
        _outcome(0, "feature", 2, "a horse"),
    ]  # fmt: skip
    assert ways_of(even)[0].strength == 2


# ---------------------------------------------------------------- a planted direction
class Planted(NamedTuple):
    project: Project
    word: str
    """What the clamped feature makes the model write, again and again."""
    folder: Path
    """Of the concepts: the word, and two others."""
    drawings: Path


def _config(planted: Planted, **more: object) -> CaptionChangesConfig:
    return CaptionChangesConfig(
        project=str(planted.project.path), index="i", drawings=(str(planted.drawings),),
        folder=str(planted.folder), learn=("en",), device="cpu",
        **{"pictures": 4, "tokens": 6, "prompt": "So", "strengths": (0.001, 2.0),
           "features": (ConceptFeature(concept="sun", feature=_FEATURE),)} | more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A dictionary one of whose features writes one token’s row of the head."""
    folder = tmp_path_factory.mktemp("captions")
    model = save_picture_model(folder / "model", "llava")
    project = make_toy_index(folder, model, training=3000, indexed=False)
    lm = load_model(str(model), "cpu")
    names_V = lm.token_bytes()
    word = next(i for i, name in enumerate(names_V) if name == b" the")
    head_VD = lm.model.get_output_embeddings().weight.detach()
    file = project.dictionary_path("d") / "sae_weights.safetensors"
    tensors = load_file(file)
    direction_D = head_VD[word] - head_VD.mean(dim=0)
    tensors["W_dec"][_FEATURE] = direction_D / direction_D.norm()
    save_file(tensors, file)
    build_index(
        IndexConfig(project=str(project.path), dictionary="d", name="i", context_tokens=12),
        SilentContext(),
    )
    concepts, drawings = folder / "concepts", folder / "drawings"
    concepts.mkdir(), drawings.mkdir()
    told = '[frames]\nen = ["So {a}.", "In {a}.", "God {a}.", "And {a}."]\nsynonyms = ["{a}"]\n'
    for number, (name, form) in enumerate((("sun", "the"), ("moon", "heaven"), ("sea", "earth"))):
        codes = [f"{number}{n}" for n in range(4)]
        told += f'[{name}]\nsymbols = ["*"]\npictures = {codes}\nen = {{ a = "{form}" }}\n'
        for code in codes:
            noise_picture(28, 28, seed=int(code)).save(drawings / f"{code}.png")
    (concepts / "sky.toml").write_text(told.replace("'", '"'))
    return Planted(project, "the", concepts, drawings)


@pytest.fixture(scope="module")
def measured(planted: Planted) -> CaptionChangesResult:
    return caption_changes(_config(planted), RecordingContext())


def test_a_planted_feature__is_named_by_every_caption_and_no_control_is(
    measured: CaptionChangesResult,
) -> None:
    (concept,) = measured.concepts
    assert (concept.concept, concept.feature, concept.spoken) == ("sun", _FEATURE, ["the"])
    assert concept.other != _FEATURE
    strong = {row.way: row for row in measured.rows
              if row.strength == 2 and row.where == "all"}  # fmt: skip
    feature = strong["feature"].counts
    assert (feature.named.count, feature.named.of, feature.changed.count) == (4, 4, 4)
    assert all(pair.changed.startswith("the the") for pair in strong["feature"].pairs)
    assert feature.broken.count == 4  # it says nothing else
    assert strong["random direction"].counts.named.count == 0
    assert strong["other feature"].counts.named.count == 0
    ways = {tried.way: tried for tried in measured.ways}
    assert list(ways) == list(CAPTION_WAYS)
    assert (ways["feature"].strength, ways["feature"].counts.named.count) == (2, 2)
    assert ways["feature"].counts.changed.of == 2  # the other half chose the setting
    assert ways["random direction"].counts.named.count == 0
    pooled = {(one.way, one.where, one.strength): one.counts for one in measured.settings}
    assert pooled["feature", "all", 2] == feature


def test_every_way_and_setting__stands_there_once(measured: CaptionChangesResult) -> None:
    tried = [(row.way, row.where, row.strength) for row in measured.rows]
    assert len(tried) == len(set(tried)) == 4 * 3 * 2 + 1
    assert all(row.counts.changed.of == 4 for row in measured.rows)
    assert measured.plain_broken.of == 4
    assert measured.plain_log_probability is not None
    for row in measured.rows:
        assert row.counts.named.count <= row.counts.named.of <= 4
        assert len(row.pairs) == 3


def test_captions__are_those_that_steer_writes_one_by_one(planted: Planted) -> None:
    opened = open_index(str(planted.project.path), "i", "cpu")
    captioner = Captioner(
        opened, Preparer(str(planted.project.path), opened), "So", chat=False, tokens=6
    )
    picture = str(planted.drawings / "10.png")
    acts = [[], *([Intervention(feature=f, strength=s, where=w)] for f, s, w in (
        (_FEATURE, 40.0, "words"), (3, 2.0, "pictures"), (7, 30.0, "all")))]  # fmt: skip
    asked = [*(Asked("So", own) for own in acts), Asked("the. So")]
    found = captioner.captions(picture, asked, RecordingContext())

    for one, told in zip(asked, found, strict=True):
        variants = [PLAIN, Variant(name="v", interventions=list(one.interventions))]
        result = steer(
            SteerConfig(
                project=str(planted.project.path), index="i", prompt=one.prompt,
                variants=variants, pictures=[picture], device="cpu",
                sampling=Sampling(max_new_tokens=6, repetition_penalty=1.0),
            ),
            RecordingContext(),
        ).variants[1]  # fmt: skip
        first = next((line for line in result.text.splitlines() if line.strip()), "")
        assert told.text == first.strip()
        if one.prompt == "So" and len(result.text.splitlines()) < 2:
            logs = [token.plain_log_probability for token in result.tokens]
            assert told.log_probability == pytest.approx(sum(logs) / len(logs), abs=1e-4)


def test_the_best_concepts__are_taken_where_none_is_named(planted: Planted) -> None:
    result = caption_changes(
        _config(planted, features=(), most=2, pictures=2, strengths=(1.0,), where=("all",)),
        RecordingContext(),
    )
    assert len(result.concepts) == 2
    assert all(one.words is not None and one.drawings is not None for one in result.concepts)
    assert result.notes == ["The 2 of 3 concepts whose features tell them best were tried."]
    by_name = caption_changes(
        _config(planted, features=(), concepts=("sea",), pictures=2, strengths=(1.0,),
                where=("all",)),
        RecordingContext(),
    )  # fmt: skip
    assert [one.concept for one in by_name.concepts] == ["sea"]


def test_a_concept__is_told_as_well_as_the_worse_of_words_and_drawings() -> None:
    told = {
        name: _area(ChosenConcept(concept=name, feature=0, words=words, drawings=drawings))
        for name, words, drawings in (("a", 0.9, 0.5), ("b", 0.7, 0.5), ("c", 0.8, 0.6))
    }
    assert sorted(told, key=lambda name: told[name], reverse=True) == ["c", "a", "b"]


def test_what_is_stopped__keeps_the_concepts_that_were_tried(planted: Planted) -> None:
    class Stopped(RecordingContext):
        """Asked to stop while the first concept is tried."""

        def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
            super().progress(done, total, unit, message)
            if "clamped" in message:
                self.stop_after = 0

    both = tuple(ConceptFeature(concept=c, feature=f) for c, f in (("sun", _FEATURE), ("sea", 3)))
    result = caption_changes(
        _config(planted, features=both, pictures=2, strengths=(1.0,), where=("all",)), Stopped()
    )
    assert [one.concept for one in result.concepts] == ["sun"]
    assert {row.concept for row in result.rows} == {"sun"}
    assert result.notes == ["It was stopped before sea."]


def test_what_cannot_be_asked__is_named(planted: Planted, tmp_path: Path) -> None:
    for more, said in (
        ({"strengths": ()}, "No strength"),
        ({"pictures": 1}, "one is too few"),
        ({"drawings": (str(tmp_path),)}, "None of the"),
        ({"asked": "{what}"}, "cannot be filled in"),
        ({"language": "de"}, "no word in the language “de”"),
        ({"features": (ConceptFeature(concept="moons", feature=1),)}, "no concept “moons”"),
        ({"features": (ConceptFeature(concept="sun", feature=999),)}, "999"),
    ):
        with pytest.raises(UserError, match=said):
            caption_changes(msgspec.structs.replace(_config(planted), **more), RecordingContext())


def test_a_log_probability__is_of_the_plain_model_whatever_wrote_the_caption(
    planted: Planted,
) -> None:
    opened = open_index(str(planted.project.path), "i", "cpu")
    captioner = Captioner(
        opened, Preparer(str(planted.project.path), opened), "So", chat=False, tokens=6
    )
    act = Intervention(feature=_FEATURE, strength=40.0)
    plain, changed = captioner.captions(
        str(planted.drawings / "10.png"), [Asked("So"), Asked("So", [act])], RecordingContext()
    )
    assert plain.log_probability is not None
    assert changed.log_probability is not None
    assert changed.log_probability < plain.log_probability


# ---------------------------------------------------------------- the command
def _command(planted: Planted, *more: str) -> Done:
    return sae_desktop(
        "caption-changes", planted.project.path, "--index", "i", "--pictures", planted.drawings,
        "--folder", planted.folder, "--learn", "en", "--feature", f"sun={_FEATURE}", "--prompt",
        "So", "--count", "4", "--tokens", "6", "--strength", "0.001", "--strength", "2",
        "--device", "cpu", *more,
    )  # fmt: skip


def test_the_command__prints_who_won_and_saves_it(
    planted: Planted, measured: CaptionChangesResult, tmp_path: Path
) -> None:
    done = _command(planted, "--save", str(tmp_path / "c.csv"))
    assert done.status == 0, done.stderr
    assert verdict_text(measured) in done.stdout
    assert (tmp_path / "c.csv").read_text(encoding="utf-8") == captions_csv(measured)
    for more, said in (
        (("--save", str(tmp_path / "c.txt")), "must end in"),
        (("--where", "sky"), "Choose of"),
        (("--unit", "meter"), "maximum or norm"),
        (("--feature", "sun"), "concept=feature"),
    ):
        refused = _command(planted, *more)
        assert refused.status == 2
        assert said in " ".join(refused.stderr.replace("│", " ").split())
