"""Models at the command line: listed, shown, and trusted only by who is asked."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cli_process import sae_desktop
from engine_driver import engine_environment
from toy_models import save_toy_model

CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM

Path({marker!r}).touch()

class OwnConfig(LlamaConfig):
    model_type = "own_toy"

class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """An environment whose record of trust is this test's own."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A toy model that needs code of its own."""
    folder = save_toy_model(tmp_path / "own toy")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own_toy",
        "architectures": ["OwnForCausalLM"],
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnForCausalLM"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(CODE.format(marker=str(tmp_path / "ran")))
    return folder


def test_show__is_a_card_to_read(toy_model_folder: Path) -> None:
    done = sae_desktop("models", "show", toy_model_folder, "--dtype", "bfloat16")
    assert done.status == 0, done.stderr
    lines = dict(line.split("  ", 1) for line in done.stdout.splitlines() if "  " in line.strip())
    facts = {name: value.strip() for name, value in lines.items()}
    assert facts["Architecture"] == "LlamaForCausalLM"
    assert facts["Reads"] == "left to right; it predicts what comes next"
    assert facts["Layers × width"] == "4 × 32"
    assert facts["Heads"] == "4, 2 for keys and values"
    assert facts["Context"] == "64 tokens"
    assert facts["Precision"] == "bfloat16"
    assert facts["Memory"].startswith("Takes 115 kB of memory as bfloat16; ")
    assert facts["Special tokens"] == "<|bos|> <|eos|>"
    assert facts["Program code"] == "none"
    assert "sites of blocks.0 to blocks.3" in done.stdout
    assert "  hook_resid_post (32)" in done.stdout.splitlines()


def test_show__gives_every_field_as_json(toy_model_folder: Path) -> None:
    done = sae_desktop("models", "show", toy_model_folder, "--json", "--device", "cpu")
    assert done.status == 0, done.stderr
    assert (done.result["parameters"], done.result["memory_bytes"]) == (57_632, 4 * 57_632)
    assert (done.result["dtype"], done.result["device"]) == ("float32", "cpu")
    assert len(done.result["site_widths"]) == len(done.result["sites"])


def test_show__refuses_what_there_is_not(toy_model_folder: Path) -> None:
    done = sae_desktop("models", "show", toy_model_folder, "--dtype", "int3")
    assert done.status == 2
    assert "int3" in done.stderr
    done = sae_desktop("models", "show", toy_model_folder, "--device", "cuda:77", "--json")
    assert done.status == 1
    assert "no device “cuda:77”" in done.error["what"]


def test_get__explains_a_hub_out_of_reach() -> None:
    done = sae_desktop("models", "get", "owner/model", "--json")
    assert done.status == 1
    assert "“owner/model” is not on this machine" in done.error["what"]


def test_code__is_shown_and_not_trusted_without_a_terminal(
    own: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    shown = sae_desktop("models", "show", own, environment=settings)
    assert "own.py (not trusted: sae-desktop models trust)" in shown.stdout
    done = sae_desktop("models", "trust", own, environment=settings)
    assert done.status == 1
    for words in ("all your permissions", str(own), "own.py", "no terminal", "--yes"):
        assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "config").exists()
    assert not (own.parent / "ran").exists()


def test_yes__trusts_the_code_as_it_is(own: Path, settings: dict[str, str]) -> None:
    done = sae_desktop("models", "trust", own, "--yes", "--json", environment=settings)
    assert done.status == 0, done.stderr
    assert done.result["code_files"] == ["own.py"]
    assert not (own.parent / "ran").exists()
    shown = sae_desktop("models", "show", own, "--json", environment=settings)
    assert shown.result["code_trusted"]
    assert shown.result["architecture"] == "OwnForCausalLM"
    assert (own.parent / "ran").exists()
    with (own / "own.py").open("a") as file:
        file.write("#\n")
    changed = sae_desktop("models", "show", own, "--json", environment=settings)
    assert not changed.result["code_trusted"]


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_question__takes_only_yes_for_an_answer(
    own: Path, settings: dict[str, str], answer: str, status: int
) -> None:
    typed, terminal = pty.openpty()
    os.write(typed, answer.encode())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sae_desktop", "models", "trust", str(own)],
            env={**engine_environment(), **settings},
            stdin=terminal,
            capture_output=True,
            check=False,
        )
    finally:
        os.close(typed)
        os.close(terminal)
    assert done.returncode == status, done.stderr
    assert b"Trust this code? [y/N]" in done.stderr
    assert (Path(settings["XDG_CONFIG_HOME"]) / "sae-desktop").exists() == (status == 0)


def test_model_without_code__has_nothing_to_trust(
    toy_model_folder: Path, settings: dict[str, str]
) -> None:
    done = sae_desktop("models", "trust", toy_model_folder, "--json", environment=settings)
    assert done.status == 1
    assert "needs no program code" in done.error["what"]


def test_list__has_the_models_of_the_hubs_cache(tmp_path: Path, toy_model_folder: Path) -> None:
    snapshot = tmp_path / "models--owner--toy-1" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(toy_model_folder)
    half = tmp_path / "models--owner--half" / "snapshots" / "abc"
    half.mkdir(parents=True)
    (half / "config.json").write_text("{}")
    done = sae_desktop("models", "list", environment={"HF_HUB_CACHE": str(tmp_path)})
    assert done.status == 0, done.stderr
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    found = {line[0]: line[-1].strip() for line in lines}
    assert found["owner/toy-1"] == str(snapshot)
    assert found["owner/half"] == "not here yet: run sae-desktop models get owner/half"


def test_same__is_the_way_out_of_models_that_cannot_be_told_apart(
    small_project: Path, toy_model_folder: Path
) -> None:
    cfg = small_project / "dictionaries" / "dict" / "cfg.json"
    told = json.loads(cfg.read_bytes())
    told["metadata"] |= {"model_name": "owner/model", "model_revision": ""}
    cfg.write_text(json.dumps(told))
    evaluate = ("evaluate", small_project, "--dictionary", "dict", "--rows", "200", "--json")
    refused = sae_desktop(*evaluate)
    assert refused.status == 1
    assert "do not show whether" in refused.error["what"]
    command = refused.error["next_step"].rpartition("sae-desktop ")[2].rstrip(".").split()
    said = sae_desktop(*command)
    assert said.status == 0, said.stderr
    assert "are treated as the same model in this project" in said.stdout
    assert sae_desktop(*evaluate).status == 0
    assert "are the same model already" in sae_desktop(*command).stdout
    gone = sae_desktop("models", "same", small_project, "dictionary:none", "builtin", "--json")
    assert "none" in gone.error["what"]
