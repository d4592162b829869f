"""What is said of plug-ins. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.plugins.checking import PluginReport
from sae_desktop.plugins.installed import WITHOUT
from sae_desktop.plugins.kinds import KINDS, group

STATES = {
    "unchecked": "being tried…",
    "works": "works",
    "off": "switched off",
    "broken": "cannot be used",
    "failed": "has failed",
}
NONE = "No installed package adds anything to the program."


def none_text(*, without: bool) -> str:
    """Return what is said where there are no plug-ins; `without`: they are left out as asked."""
    if without:
        return f"Plug-ins are left out because {WITHOUT} is set."
    return (
        f"{NONE} Plug-ins are Python packages with entry points such as "
        f"“{group('architectures')}”; “Plug-ins” in the README shows how one is written."
    )


def of_package(report: PluginReport) -> str:
    """Return kind and package of a plug-in, such as “architecture of sae-tied 1.0”."""
    return f"{KINDS[report.kind].called} of {report.package} {report.version}".rstrip()


def why_text(report: PluginReport) -> str:
    """Return why a plug-in does not work and what to do; "" where there is nothing to say."""
    end = "" if report.why.endswith((".", "”")) or not report.why else "."
    return f"{report.why}{end} {report.next_step}".strip()


def plugin_text(reports: Sequence[PluginReport]) -> str:
    """Return all plug-ins, a paragraph each, for a terminal."""
    parts = []
    for report in reports:
        head = f"{report.name}: {STATES[report.state]}"
        lines = [head, f"  {of_package(report)}", f"  {report.adds}"]
        if why_text(report):
            lines.append(f"  {why_text(report)}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
