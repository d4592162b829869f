"""The command that tells what clusters share, on the demonstration that ships."""

from __future__ import annotations

from cli_process import sae_desktop
from shipped import demonstration


def test_clusters__are_told_with_what_their_features_share() -> None:
    project = str(demonstration().path)
    done = sae_desktop("clusters", project, "--index", "builtin-L3")
    assert done.status == 0, done.stderr
    assert "what its features share" in done.stdout
    assert "elsewhere" in done.stdout
    assert "share nothing that chance would not give; see --all" in done.stdout
    found = sae_desktop("clusters", project, "--index", "builtin-L3", "--json").result
    assert found["total"] == len(found["clusters"])
    assert any(cluster["name"] for cluster in found["clusters"])
    missing = sae_desktop("clusters", project, "--index", "none")
    assert missing.status == 1
    assert "none" in missing.stderr
