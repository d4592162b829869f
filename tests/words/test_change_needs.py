"""What a comparison takes: in proportion to what it does, and what is said of that."""

from __future__ import annotations

import pytest

from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.safety.change.config import CompareCheckpointsConfig
from sae_desktop.safety.change.needs import SPEED, ModelSize, Needs, model_size, needs
from sae_desktop.words.amounts import rate_text
from sae_desktop.words.change_needs import needs_text
from sae_desktop.words.change_words import measure_title, trait_title

SIZE = ModelSize(10**9, 1000, 50_000)


def _needs(*, models: int = 2, read: int = 0, features: int = 0, **rest: int) -> Needs:
    names = tuple(str(number) for number in range(models))
    config = CompareCheckpointsConfig(
        project="", name="c", checkpoints=names, texts=100, context_size=10, **rest
    )  # type: ignore[arg-type]
    return needs(config, SIZE, features, read)


def test_needs__grow_with_what_is_done() -> None:
    # Two passes over 1,000 tokens, and the first once more beside the second.
    assert _needs().seconds == pytest.approx(3 * 2 * 1e9 * 1000 / SPEED, rel=0.1)
    assert _needs(models=4).seconds == pytest.approx(_needs().seconds * 7 / 3, rel=0.05)
    assert _needs(models=3, read=2).seconds == _needs().seconds
    crossed = {"crosscoder_features": 512, "crosscoder_seeds": 2, "crosscoder_steps": 1000}
    more = _needs(**crossed).seconds - _needs().seconds
    assert more == pytest.approx(2 * 1000 * 1024 * 6 * 2 * 2 * 1000 * 512 / SPEED, rel=0.05)
    assert _needs(features=4096).bytes > _needs().bytes > 4 * 2 * SIZE.parameters


def test_needs__of_the_built_in_model_are_what_was_measured() -> None:
    size = model_size("builtin")
    assert size == ModelSize(5_688_576, 256, 5120)
    config = CompareCheckpointsConfig(
        project="", name="c", checkpoints=("a", "b"), dictionary="d", texts=64,
        traits=("bias", "scams"), steer=0.0,
    )  # fmt: skip
    found = needs(config, size, 2048)
    assert 13.5 / 1.3 < found.seconds < 13.5 * 1.3
    assert model_size("/nowhere") is None


def test_needs__are_told_with_their_pace_and_their_memory() -> None:
    found = Needs(60.0, 3_000_000_000)
    assert needs_text(found, 0, 8_000_000_000) == (
        "Takes about 60 s on two cores without other load, and about 3 GB of memory."
    )
    assert "about 5 min for each checkpoint at the pace" in needs_text(
        found, 5.0, 8_000_000_000, "for each checkpoint"
    )
    assert "only 1 GB are free. Choose fewer texts" in needs_text(found, 0, 1_000_000_000)


def test_words__are_those_a_person_reads() -> None:
    assert trait_title("invented_citations") == "Made-up citations"
    assert trait_title("my_own") == "my_own"
    assert measure_title("turn language_switch") == "Direction of “Switching language”"
    assert measure_title("monitor language_switch") == "Scores of “language_switch”"
    assert rate_text(0.03, "checkpoints") == "1.8 checkpoints per minute"
    assert rate_text(0.003, "checkpoints") == "10.8 checkpoints per hour"
    assert rate_text(2.0, "rows") == "2 rows per second"
    assert rate_text(0.0, "rows") == ""
    assert visible_token("a\x08") == "a⟨0x08⟩"
    assert visible_token("\n") == "↵"
