"""`sae-desktop caches`: what is kept outside of projects, with sizes, and clearing one of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import sae_desktop


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home of its own, in which a model was fetched."""
    model = tmp_path / "cache" / "sae-desktop" / "models" / "smollm2"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"x" * 3000)
    names = ("CACHE", "CONFIG", "DATA", "STATE")
    return {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in names}


def test_caches__lists_names_sizes_and_folders(home: dict[str, str]) -> None:
    done = sae_desktop("caches", environment=home)
    assert done.status == 0
    line = next(line for line in done.stdout.splitlines() if line.startswith("models "))
    assert "3 kB" in line
    assert f"{home['XDG_CACHE_HOME']}/sae-desktop/models" in line
    assert "models: Models that you have asked the program to fetch." in done.stdout
    whole = sae_desktop("caches", "--json", environment=home).result["caches"]
    found = {one["name"]: one for one in whole}
    assert found["models"]["bytes"] == 3000
    assert found["models"]["can_be_cleared"]
    assert not found["demonstration"]["can_be_cleared"]
    assert found["encoder"]["size"] == "nothing"


def test_caches_clear__asks_first_and_says_what_was_freed(home: dict[str, str]) -> None:
    model = Path(home["XDG_CACHE_HOME"]) / "sae-desktop" / "models" / "smollm2"
    done = sae_desktop("caches", "clear", "models", environment=home)
    assert done.status == 1
    assert "was not cleared" in done.stderr
    assert "--yes" in done.stderr
    assert model.is_dir()
    done = sae_desktop("caches", "clear", "models", "--yes", "--json", environment=home)
    assert done.status == 0
    assert done.result["freed_bytes"] == 3000
    assert not model.exists()
    told = sae_desktop("caches", "clear", "models", environment=home)
    assert told.status == 0, "there is nothing to ask about"


@pytest.mark.parametrize(
    ("name", "said"),
    [("demonstration", "never cleared"), ("hub", "hf cache rm"), ("zebra", "There are: models")],
)
def test_caches_clear__refuses_with_a_way_out(home: dict[str, str], name: str, said: str) -> None:
    done = sae_desktop("caches", "clear", name, "--yes", "--json", environment=home)
    assert done.status == 1
    assert said in done.error["next_step"]
    assert done.error["kept"] == "Nothing was cleared."
