"""One rank of a training, for tests: takes its place and one config after another from a file.

What becomes of each is a line of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from job_contexts import RecordingContext

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.ranks import group, mates
from sae_desktop.training.ranks.job import ToldElsewhereError, train_on_ranks
from sae_desktop.training.ranks.launched import Place


def main() -> None:
    torch.set_num_threads(1)
    orders = json.loads(Path(sys.argv[1]).read_text())
    rank = int(sys.argv[2])
    for attempt, order in enumerate(orders["runs"]):
        place = Place(
            rank=rank, count=orders["count"], local_rank=rank, local_count=orders["count"],
            host="127.0.0.1", port=orders["port"], attempt=attempt, served=True,
            timeout=orders["timeout"],
        )  # fmt: skip
        fields = order["config"] | order["of_rank"].get(str(rank), {})
        context = RecordingContext()
        _faults(order, rank, context)
        config = msgspec.convert(fields, TrainConfig)
        print(json.dumps(_outcome(config, place, context)), flush=True)


def _outcome(config: TrainConfig, place: Place, context: RecordingContext) -> Mapping[str, Any]:
    try:
        result = train_on_ranks(config, place, context)
    except ToldElsewhereError:
        return {"silent": True}
    except JobCancelledError:
        return {"cancelled": True}
    except UserError as error:
        return {"error": str(error), "lines": context.lines}
    return {"result": msgspec.to_builtins(result), "lines": context.lines}


def _faults(order: Mapping[str, Any], rank: int, context: RecordingContext) -> None:
    """Plant what a test asks for: nothing summed, or a rank that ends at a step, hangs or is
    asked to end."""
    begin = _PLAIN[0]
    mates.RankMates.average_ = (  # type: ignore[method-assign]
        (lambda self, means, own: None) if order.get("sums_nothing") else _PLAIN[1]
    )
    at, which = order.get("at", -1), order.get("rank", -1)

    def begins(self: mates.RankMates, position: int) -> None:
        begin(self, position)
        if rank == which and self._ranks.step == at:
            if order["fault"] == "ends":
                os.kill(os.getpid(), signal.SIGKILL)
            elif order["fault"] == "hangs":
                time.sleep(3600)
            context.cancel_after = 0

    mates.RankMates.begin = begins if at >= 0 else begin  # type: ignore[method-assign]


_PLAIN = (mates.RankMates.begin, mates.RankMates.average_)
group._SILENT_SECONDS = 2.5

if __name__ == "__main__":
    main()
