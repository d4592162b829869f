"""Which of several processes this one is, by the environment that torchrun sets."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.training.ranks.launched import launched
from sae_desktop.training.ranks.mates import ShareFeed

_SET = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "there", "MASTER_PORT": "29500", "TORCHELASTIC_RESTART_COUNT": "2",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}  # fmt: skip


def test_launched__reads_what_torchrun_sets() -> None:
    place = launched(_SET)
    assert place is not None
    assert (place.rank, place.count, place.local_rank, place.local_count) == (3, 4, 1, 2)
    assert (place.host, place.port, place.attempt, place.served) == ("there", 29500, 2, True)
    assert place.timeout == 600
    assert not place.leads


def test_launched__is_nothing_for_one_process() -> None:
    assert launched({}) is None
    assert launched(_SET | {"WORLD_SIZE": "1", "RANK": "0"}) is None
    assert launched({k: v for k, v in _SET.items() if k != "MASTER_PORT"}) is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"RANK": "4"}, "rank 4 of 4"),
        ({"MASTER_PORT": "http"}, "MASTER_PORT is “http”"),
        ({"SAE_DESKTOP_RANK_TIMEOUT": "0"}, "SAE_DESKTOP_RANK_TIMEOUT is “0”"),
        ({"SAE_DESKTOP_RANK_TIMEOUT": "inf"}, "at least 1"),
    ],
)
def test_launched__says_which_variable_is_wrong(changed: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        launched(_SET | changed)


class _Numbers:
    """A feed of row numbers."""

    def take(self, position: int, count: int) -> list[np.ndarray]:
        return [np.arange(position, position + count)]

    def close(self) -> None:
        return


@pytest.mark.parametrize("count", [3, 7, 101])
def test_shares__make_up_the_batch_in_its_order(count: int) -> None:
    feeds = [ShareFeed(_Numbers(), rank, 3) for rank in range(3)]
    parts = [feed.take(50, count)[0] for feed in feeds]
    assert np.concatenate(parts).tolist() == list(range(50, 50 + count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
