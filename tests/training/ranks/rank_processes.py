"""Several ranks on this machine, each a process; they train one config after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sae_desktop.training.config import TrainConfig

_WORKER = Path(__file__).with_name("rank_worker.py")


def order(
    config: TrainConfig, of_rank: dict[int, dict[str, Any]] | None = None, **fault: Any
) -> Any:
    """What all ranks train; `of_rank` are fields that a rank is given otherwise."""
    told = {str(rank): fields for rank, fields in (of_rank or {}).items()}
    return {"config": msgspec.to_builtins(config), "of_rank": told, **fault}


def run_ranks(
    folder: Path, orders: Sequence[Any], *, count: int = 2, timeout: float = 60.0
) -> list[list[dict[str, Any]]]:
    """Return what became of each order on each rank, [order][rank]; {} where it said nothing."""
    store = TCPStore(
        "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60)
    )
    file = folder / "orders.json"
    file.write_text(
        json.dumps({"runs": orders, "count": count, "port": store.port, "timeout": timeout})
    )
    tests = _WORKER.parents[2]
    paths = [str(tests), str(tests.parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(_WORKER), str(file), str(rank)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip
    said: list[list[dict[str, Any]]] = []
    try:
        for number, process in enumerate(ranks):
            hangs = any(one.get("fault") == "hangs" and one["rank"] == number for one in orders)
            if hangs:
                continue
            out, err = process.communicate(timeout=400)
            lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
            assert lines or process.returncode < 0, err
            said.append(lines)
    finally:
        for process in ranks:
            process.kill()
            process.communicate()
    return [
        [lines[number] if number < len(lines) else {} for lines in said]
        for number in range(len(orders))
    ]
