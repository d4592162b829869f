"""What a sizing answers: sums by hand, cards, what does not fit, and what would."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sae_desktop.activations.config import EstimateHarvestConfig, HarvestConfig
from sae_desktop.activations.estimate import estimate_harvest
from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.sizing import job
from sae_desktop.sizing.cards import USUAL, find_card, known_cards, rates_of
from sae_desktop.sizing.config import Rates, SizeConfig, SizeResult, StageSize
from sae_desktop.sizing.index_size import FIRING_BYTES, index_disk
from sae_desktop.sizing.job import size
from sae_desktop.sizing.kept import VERSION, keep_rates, kept_rates, rates_path
from sae_desktop.words import sizing_text

TB = 10**12
LARGE = SizeConfig(
    model="eight billion", width=4096, parameters=8_000_000_000, features=34_000_000,
    tokens=8_000_000_000, rows=10_000_000, architecture="topk", card="H200",
)  # fmt: skip


def _asked(config: SizeConfig) -> SizeResult:
    return size(config, SilentContext())


def _stages(config: SizeConfig) -> dict[str, StageSize]:
    return {stage.stage: stage for stage in _asked(config).stages}


def test_34_million_features__are_as_large_as_counted_by_hand() -> None:
    stages = _stages(LARGE)
    weights = 4 * (2 * 34_000_000 * 4096 + 34_000_000 + 4096)
    assert weights == pytest.approx(1.114 * TB, rel=1e-3)
    needs = {need.what: need.bytes for need in stages["training"].needs}
    assert needs["weights"] == weights
    assert needs["Adam’s moments"] == 2 * weights
    assert needs["gradients"] == weights
    assert needs["low-precision copies"] == weights // 4
    training = stages["training"]
    assert 4.25 * weights < training.memory.value < 4.4 * weights
    # Three checkpoints and the one being written, of three times the weights, and the dictionary.
    assert training.disk.value == pytest.approx(13 * weights, rel=0.01)
    assert training.cards.value == -(-training.memory.value // 141e9)
    # 8 × 10⁹ rows of 8,192 bytes, and 20 bytes of tokens, positions, norms and windows.
    assert stages["harvest"].disk.value == pytest.approx(8e9 * 8192, rel=0.01)


def test_34_million_features__are_refused_on_one_card_with_what_would_fit() -> None:
    result = _asked(LARGE)
    assert not result.fits
    training = result.stages[1]
    assert training.problem.startswith("The training needs 4.7")
    assert training.changes[0].endswith(" features")
    fitting = int(training.changes[0].split()[0].replace(",", ""))
    smaller = msgspec.structs.replace(LARGE, features=fitting)
    assert not _stages(smaller)["training"].problem
    larger = msgspec.structs.replace(LARGE, features=fitting + 1)
    assert _stages(larger)["training"].problem
    assert "This version does not split a dictionary over cards" in training.cards.why


@pytest.mark.parametrize("field", ["tokens", "features", "k", "parameters"])
def test_sizing__grows_with_what_is_asked_for(field: str) -> None:
    one = msgspec.structs.replace(LARGE, features=65_536, tokens=1_000_000, rows=0, card="H100")
    more = msgspec.structs.replace(one, **{field: 2 * getattr(one, field)})
    before, after = _asked(one).stages, _asked(more).stages

    def sums(stages: list[StageSize]) -> tuple[float, ...]:
        figures = [(s.memory.value, s.disk.value, s.seconds.value) for s in stages]
        return tuple(map(sum, zip(*figures, strict=True)))

    assert all(more >= less for more, less in zip(sums(after), sums(before), strict=True))
    assert sums(after)[2] > sums(before)[2]


def test_training__grows_with_the_width() -> None:
    one = msgspec.structs.replace(LARGE, features=65_536, tokens=1_000_000, card="H100")
    before = _stages(one)["training"]
    after = _stages(msgspec.structs.replace(one, width=8192))["training"]
    assert after.memory.value > 1.9 * before.memory.value
    assert after.seconds.value > 1.5 * before.seconds.value


def test_store__is_as_large_as_the_harvest_estimates_it(
    project: Project, toy_model_folder: Path
) -> None:
    harvest = HarvestConfig(
        project=str(project.path), name="s", model=str(toy_model_folder), tokens=20_000,
        site="blocks.1.hook_resid_post", context_size=64, batch_tokens=4096,
    )  # fmt: skip
    estimated = estimate_harvest(EstimateHarvestConfig(harvest=harvest), SilentContext())
    found = _stages(
        SizeConfig(model=str(toy_model_folder), tokens=20_000, site="blocks.1.hook_resid_post")
    )["harvest"]
    # The corpus's own documents may be shorter than usual ones, and it has a margin.
    rows = 20_000 * (2 * 32 + 12)
    assert rows < found.disk.value <= estimated.bytes
    assert found.memory.value == pytest.approx(estimated.memory_bytes + 120_000_000, rel=0.02)


def test_streaming__writes_no_store_and_takes_the_harvests_time() -> None:
    stored = _stages(msgspec.structs.replace(LARGE, features=65_536, card="H100"))
    streamed = _stages(msgspec.structs.replace(LARGE, features=65_536, card="H100", stream=True))
    assert streamed["harvest"].disk.value == 0
    assert "harvest" in [spent.what for spent in streamed["training"].times]
    assert "harvest" not in [spent.what for spent in stored["training"].times]
    assert "pool of rows" not in [need.what for need in stored["training"].needs]


def test_index__keeps_twenty_bytes_of_every_activation() -> None:
    needs = {n.what: n.bytes for n in index_disk(IndexConfig(project="", dictionary="", name=""),
                                                 2048, 120_000, 30)}  # fmt: skip
    # The demonstration's index: 74.1 MB of firings, 7.4 MB of features, text and names.
    assert FIRING_BYTES * 120_000 * 30 == needs["kept activations"] == 72_000_000
    assert needs["features"] + needs["text"] == pytest.approx(7.7e6, rel=0.15)


def test_disk_that_is_short__is_told_with_smaller_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "free_bytes", lambda path: 10_000_000)
    asked = SizeConfig(tokens=1_000_000, dtype="float32")
    harvest = _stages(asked)["harvest"]
    assert harvest.problem.startswith("It needs 1.0")
    assert harvest.problem.endswith("of disk, but 10 MB are free.")
    assert harvest.changes[0] == "training while harvesting, which writes no store"
    assert [way.split(" (")[0] for way in harvest.changes[1:3]] == [
        "a store of float16", "a store of int8",
    ]  # fmt: skip
    tokens = int(harvest.changes[3].split()[0].replace(",", ""))
    assert not _stages(msgspec.structs.replace(asked, tokens=tokens))["harvest"].problem
    assert _stages(msgspec.structs.replace(asked, tokens=tokens + 1))["harvest"].problem


# ---------------------------------------------------------------- cards and rates
def test_cards__are_found_by_any_words_of_their_names() -> None:
    assert find_card("h100").name == "NVIDIA H100 SXM"
    assert find_card("a100 80").memory == 80e9
    with pytest.raises(UserError, match="“H99” is not known") as caught:
        find_card("H99")
    assert "RTX 4090" in caught.value.next_step
    with pytest.raises(UserError):
        find_card(" ")


def test_cards__have_published_figures_in_plausible_order() -> None:
    for card in known_cards():
        assert 20e9 < card.memory < 200e9
        assert card.source
        # Products of bfloat16 are faster, and a byte costs tens to hundreds of operations.
        assert card.float32 < card.low
        assert 50 < card.low / card.bandwidth < 300
    h100 = rates_of(find_card("H100"), None)
    assert h100.low == pytest.approx(0.5 * 989.4e12)
    assert h100.bandwidth == pytest.approx(0.8 * 3.35e12)
    assert h100.disk_write == USUAL.disk_write


def test_rates__are_kept_and_those_of_another_version_are_not_used() -> None:
    rates = msgspec.structs.replace(USUAL, name="here", version=VERSION, date="2026-11-30 21:00")
    try:
        keep_rates(rates)
        assert kept_rates() == rates
        result = _asked(SizeConfig(tokens=1000))
        assert result.measured == "2026-11-30 21:00"
        assert result.stages[0].seconds.sure == "estimated"
        keep_rates(msgspec.structs.replace(rates, version=VERSION + 1))
        assert kept_rates() is None
        assert _asked(SizeConfig(tokens=1000)).stages[0].seconds.sure == "assumed"
        rates_path().write_text("no JSON")
        assert kept_rates() is None
    finally:
        rates_path().unlink()


def test_checkpoints__that_take_most_of_the_time_are_told() -> None:
    assert any("“Checkpoint every”" in note for note in _asked(LARGE).notes)
    small = msgspec.structs.replace(LARGE, features=65_536)
    assert not any("“Checkpoint every”" in note for note in _asked(small).notes)


def test_busy_machine__is_told_to_be_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = msgspec.structs.replace(USUAL, name="here", busy=0.6, date="today")
    monkeypatch.setattr(job, "kept_rates", lambda: rates)
    for card in ("", "H100"):  # whose disk and processors are taken to be this machine's
        notes = _asked(SizeConfig(tokens=1000, card=card)).notes
        assert "other programs took 60% of its processors" in notes[0]


# ---------------------------------------------------------------- what cannot be
@pytest.mark.parametrize(
    ("config", "what"),
    [
        (SizeConfig(model="no/such-model"), "such-model"),
        (SizeConfig(site="blocks.99.hook_resid_post"), "no site"),
        (SizeConfig(architecture="best"), "no architecture “best”"),
        (SizeConfig(card="abacus"), "“abacus” is not known"),
        (SizeConfig(tokens=0), "tokens"),
    ],
)
def test_what_cannot_be_sized__is_refused_with_a_way_out(config: SizeConfig, what: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        _asked(config)
    assert caught.value.next_step


def test_model_of_the_catalogue__is_sized_without_being_here() -> None:
    result = _asked(SizeConfig(model="meta-llama/Llama-3.1-8B", card="A100 80"))
    assert result.width == 4096
    assert result.features == 8 * 4096
    assert {n.what: n.bytes for n in result.stages[0].needs}["model"] == 2 * 8_030_261_248
    assert any("by its numbers alone" in note for note in result.notes)


# ---------------------------------------------------------------- words
def test_words__say_every_figure_with_its_origin_and_how_sure_it_is() -> None:
    result = _asked(LARGE)
    assert sizing_text.cells(result.stages[0])[1] == "65.6 TB"
    for stage in result.stages:
        reasons = sizing_text.why_texts(stage)
        assert len(reasons) == len(sizing_text.cells(stage)) == len(sizing_text.COLUMNS)
        assert all(reason.endswith(".") for reason in reasons)
    assert "within about 30%" in sizing_text.why_texts(result.stages[0])[1]
    assert "factor of 4" in sizing_text.why_texts(result.stages[1])[2]
    assert sizing_text.verdict(result.stages[1]).startswith("Training: The training needs")
    assert sizing_text.verdict(result.stages[0]) == ""


def test_long_times__are_told_in_days_and_years() -> None:
    assert sizing_text.long_duration(40) == "about 40 s"
    assert sizing_text.long_duration(12 * 86_400) == "about 12 days"
    assert sizing_text.long_duration(3 * 365 * 86_400) == "about 3 years"


def test_rates__are_read_without_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import sae_desktop.sizing.config, sae_desktop.sizing.cards,"
        " sae_desktop.sizing.kept, sae_desktop.sizing.times, sae_desktop.sizing.index_size,"
        " sae_desktop.words.sizing_text; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rates_table__names_each_rate() -> None:
    rows = sizing_text.rates_rows(USUAL)
    assert len(rows) == len({row[0] for row in rows}) == 8
    assert isinstance(USUAL, Rates)
