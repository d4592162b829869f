"""A scan of a toy dictionary is what brute force finds, and its file reads back the same."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext, cancelled_at
from scanned_toy import OTHER, SET, make_scanned_toy

from sae_desktop.deletion import delete_item
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.exchange.scan_page import write_scan_page
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.project import Project
from sae_desktop.safety.concept_set import ConceptSet, read_set
from sae_desktop.safety.scan import job
from sae_desktop.safety.scan.config import ScanConfig, ScanResult, SetScan
from sae_desktop.safety.scan.job import scan
from sae_desktop.safety.scan.kept_folder import kept_count
from sae_desktop.safety.scan.scan_file import read_scan
from sae_desktop.safety.scan.separation import false_discovery

CONTROLS = 3


class Done(NamedTuple):
    project: Project
    opened: OpenedIndex
    set: ConceptSet
    result: ScanResult


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Done:
    project = make_scanned_toy(tmp_path_factory.mktemp("scan"), toy_model_folder)
    config = ScanConfig(
        project=str(project.path), name="s", indexes=("i",), sets=(SET, OTHER), tested=1,
        test_texts=2, controls=CONTROLS, attributed=2, ordinary=8, device="cpu",
    )  # fmt: skip
    result = scan(config, SilentContext())
    return Done(project, open_index(str(project.path), "i", "cpu"), read_set(project, SET), result)


def pooled(done: Done) -> np.ndarray:
    """Return (texts, features): the largest activation on each text, text by text."""
    rows = [done.opened.encode_text(text.text)[1].amax(dim=0) for text in done.set.texts]
    return torch.stack(rows).numpy()


def bounds(values: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest area where what differs by rounding may be a tie."""
    more = values[positive][:, None] - values[~positive][None]
    near = np.abs(more) < 1e-4
    return float(((more > 0) & ~near).mean()), float(((more > 0) | near).mean())


def test_features__have_the_areas_of_a_plain_computation(done: Done) -> None:
    values = pooled(done)
    positive = np.array([text.positive for text in done.set.texts])
    one = done.result.scans[0]
    assert one.features
    for row in one.features:
        for part, told in (
            ({"held_out": True, "other": False}, row.scores.near.area),
            ({"held_out": False}, row.learnt),
            ({"other": True}, row.scores.other.area if row.scores.other else None),
        ):
            places = done.set.part(**part)
            low, high = bounds(values[places, row.feature], positive[places])
            assert told is not None
            assert low - 1e-6 <= told <= high + 1e-6
    learnt = read_scan(done.project, "s").areas[0][0]
    places = done.set.part(held_out=False)
    fires = np.flatnonzero(np.asarray(done.opened.index.columns["max_activation"]) > 0)
    for feature in fires:
        low, high = bounds(values[places, feature], positive[places])
        assert low - 1e-6 <= learnt[feature] <= high + 1e-6


def test_set_that_differs__is_told_and_one_that_does_not_is_not(done: Done) -> None:
    told, shuffled = done.result.scans
    areas = {method.name: method.scores.near.area for method in told.methods}
    assert areas["sparse classifier on features"] > 0.7
    assert areas["logistic regression on raw activations"] > 0.7
    assert all(method.scores.near.low < 0.5 for method in shuffled.methods)
    for one in (told, shuffled):
        assert (one.verdict == "no difference") == (one.difference_low <= 0 <= one.difference_high)


def test_p_values__are_corrected_over_all_sets(done: Done) -> None:
    rows = [row for one in done.result.scans for row in one.features]
    expected = false_discovery(np.array([row.p for row in rows]))
    assert [row.q for row in rows] == pytest.approx(expected.tolist())
    assert done.result.candidates == len(rows)


def test_ablation__is_what_a_hook_by_hand_does(done: Done) -> None:
    one = done.result.scans[0]
    row = one.features[0]
    assert row.effect is not None
    assert len(row.effect.ablated_controls) == CONTROLS
    opened, lm = done.opened, done.opened.lm
    kept = done.set.part(positive=True, held_out=True, other=False)
    changes = []
    for place in (kept[0], kept[-1]):
        ids, acts_SF = opened.encode_text(done.set.texts[place].text)
        first = len(opened.bos)

        def ablated(x_BSD: torch.Tensor, acts_S: torch.Tensor = acts_SF[:, row.feature],
                    first: int = first) -> torch.Tensor:  # fmt: skip
            out = x_BSD.clone()
            out[0, first:] -= acts_S[:, None] * opened.dictionary.W_dec[row.feature]
            return out

        whole = torch.tensor([opened.bos + ids])
        losses = []
        for hook in (None, ablated):
            with torch.no_grad(), ExitStack() as stack:
                if hook is not None:
                    stack.enter_context(intervention(lm, opened.site, hook))
                logits = lm.model(input_ids=whole).logits[0, first:-1].float()
            targets = torch.tensor(ids[1:])
            losses.append(float(torch.nn.functional.cross_entropy(logits, targets)))
        changes.append(losses[1] - losses[0])
    assert row.effect.ablated == pytest.approx(float(np.mean(changes)), abs=1e-5)
    assert row.effect.ablated_p >= 1 / (CONTROLS + 1)


def test_file__reads_back_and_a_damaged_one_is_refused(done: Done, tmp_path: Path) -> None:
    found = read_scan(done.project, "s")
    assert found.scans == done.result.scans
    assert found.info.sets[0].digest == done.set.digest
    assert str(done.project.path) not in found.info.config
    page = tmp_path / "scan.html"
    write_scan_page(page, found, "Who wins.", "What is left.")
    text = page.read_text(encoding="utf-8")
    assert "Who wins." in text
    assert f"#{found.scans[0].features[0].feature} " in text
    assert "difference of means" in text
    broken = done.project.scan_path("broken")
    broken.write_bytes(done.project.scan_path("s").read_bytes())
    with h5py.File(broken, "r+") as file:
        del file["areas/0"]
    with pytest.raises(UserError, match="areas/0 is missing"):
        read_scan(done.project, "broken")
    broken.unlink()


def test_scan__that_is_cancelled_or_has_nothing_to_read_leaves_no_file(done: Done) -> None:
    config = ScanConfig(project=str(done.project.path), name="none", indexes=("i",), sets=(SET,))
    with pytest.raises(JobCancelledError):
        scan(config, cancelled_at(0.1, "sets"))
    for changes, says in (
        ({"indexes": ()}, "No index is named"),
        ({"sets": ("nothing",)}, "no concept set “nothing”"),
        ({"indexes": ("nothing",)}, "no index “nothing”"),
    ):
        with pytest.raises(UserError, match=says):
            scan(ScanConfig(**{**_fields(config), **changes}), SilentContext())
    assert done.project.scans() == ["s"]


def _fields(config: ScanConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in config.__struct_fields__}


class Looked:
    """In the place of `OneSet`: tells what was found before, and counts how often it is asked."""

    of: tuple[str, ...] = ()
    found: dict[str, SetScan] = {}

    def __init__(self, *told: Any) -> None:
        self._name, self._context = told[3].name, told[5]
        self.areas_F = np.full(told[2].index.features, 0.75, np.float32)

    def scanned(self, _index: str) -> SetScan:
        self._context.check_cancelled()
        Looked.of = (*Looked.of, self._name)
        return Looked.found[self._name]


def test_finished_sets__are_kept_when_it_is_cancelled_and_make_a_scan_when_it_is_stopped(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "open_index", lambda *_told: done.opened)
    monkeypatch.setattr(job, "OneSet", Looked)
    Looked.found = {one.set: one for one in done.result.scans}
    Looked.of = ()
    config = ScanConfig(
        project=str(done.project.path), name="again", indexes=("i",), sets=(SET, OTHER), ordinary=0
    )
    path = done.project.scan_path("again")
    with pytest.raises(JobCancelledError):
        scan(config, cancelled_at(1, "sets"))
    assert (Looked.of, kept_count(path), path.exists()) == ((SET,), 1, False)
    stopped = scan(config, RecordingContext(stop_after=0))
    assert ([one.set for one in stopped.scans], stopped.wanted) == ([SET], 2)
    partial = read_scan(done.project, "again")
    assert np.isnan(partial.areas[0][1]).all()
    assert np.all(partial.areas[0][0] == 0.75)
    whole = scan(config, SilentContext())
    assert Looked.of == (SET, OTHER)  # neither was looked at twice
    assert kept_count(path) == 0
    assert [one.set for one in whole.scans] == [SET, OTHER]
    q = false_discovery(np.array([row.p for one in whole.scans for row in one.features]))
    assert [row.q for one in whole.scans for row in one.features] == pytest.approx(q.tolist())
    other = msgspec.structs.replace(config, pooling="mean", name="again")
    with pytest.raises(JobCancelledError):
        scan(other, cancelled_at(1, "sets"))
    assert Looked.of == (SET, OTHER, SET)  # what other settings have found is not taken up
    delete_item(done.project, "scan", "again")
    assert kept_count(path) == 0
