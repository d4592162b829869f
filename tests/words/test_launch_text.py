"""How a training on several processes is written out."""

from __future__ import annotations

from sae_desktop.training.config import TrainConfig
from sae_desktop.words.launch_text import Launch, Taken, slurm_script, torchrun_line

_CONFIG = TrainConfig(project="/a/my project.saeproj", name="d 1", activations="m", device="cuda")


def test_torchrun_line__gives_the_very_command_of_one_process() -> None:
    line = torchrun_line(Launch(_CONFIG, processes=4, machines=1, threads=2))
    begin, train = line.split(" -m sae_desktop ")
    assert begin == ("OMP_NUM_THREADS=2 torchrun --standalone --nproc-per-node 4 --max-restarts 3")
    assert train.startswith("train '/a/my project.saeproj' --name 'd 1' --activations m")
    assert "--device cuda" in train
    several = torchrun_line(Launch(_CONFIG, processes=4, machines=2, threads=2))
    assert "--nnodes 2 --rdzv-backend c10d --rdzv-id d-1" in several


def test_slurm_script__asks_for_the_memory_of_all_processes_and_time_for_a_checkpoint() -> None:
    taken = Taken(memory=3.2e9, seconds=3 * 3600, basis="guesses")
    script = slurm_script(Launch(_CONFIG, processes=4, machines=2, threads=3), taken).splitlines()
    assert script[0] == "#!/bin/bash"
    asked = dict(line[10:].split("=", 1) for line in script if line.startswith("#SBATCH --"))
    assert asked == {
        "job-name": "d-1", "nodes": "2", "ntasks-per-node": "1", "cpus-per-task": "12",
        "mem": "13G", "time": "03:02:00", "signal": "TERM@120", "gpus-per-node": "4",
    }  # fmt: skip
    assert script[-1].startswith("srun torchrun --nnodes 2 ")
