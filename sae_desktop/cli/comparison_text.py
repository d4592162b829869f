"""What the commands over several dictionaries print."""

from __future__ import annotations

from typing import Any

from sae_desktop.cli.render import table
from sae_desktop.comparison.config import CompletenessResult, MatchResult
from sae_desktop.words.completeness_figures import summary_text

_LISTED = 60


def matches(result: MatchResult) -> str:
    """Return one line per pair."""
    rows = [
        (
            f"{p.smaller} – {p.larger}",
            f"{p.mean_cosine:.3f}",
            f"{p.unmatched_smaller:,}",
            f"{p.unmatched_larger:,}",
            "as before" if p.kept else "matched",
        )
        for p in result.pairs
    ]
    head = ("dictionaries", "mean cosine", "only in the smaller", "only in the larger", "")
    return table(head, rows, left={0, 4})


def splitting(result: dict[str, Any]) -> str:
    """Return the tree, one line per feature with its strongest context."""
    lines = [
        f"part of {node['dictionary']} {_title(node)}, cosine {node['cosine']:.2f}: "
        f"{_one_line(node['context'])}"
        for node in reversed(result["part_of"])
    ]
    return "\n".join([*lines, *_branch(result["tree"], 0)])


def _branch(node: dict[str, Any], depth: int) -> list[str]:
    near = f" {node['cosine']:.2f}" if depth else ""
    shared = ", nearer to another" if node["shared"] else ""
    lines = [
        f"{'  ' * depth}{node['dictionary']} {_title(node)}{near}{shared}  "
        f"{_one_line(node['context'])}"
    ]
    for part in node["parts"]:
        lines += _branch(part, depth + 1)
    if node["left_out"]:
        lines.append(f"{'  ' * (depth + 1)}… and {node['left_out']:,} more")
    return lines


def _title(node: dict[str, Any]) -> str:
    return f"#{node['feature']}" + (f" {node['label']}" if node["label"] else "")


def _one_line(text: str) -> str:
    return text.replace("\n", "↵").replace("\t", "→")


def concepts(result: dict[str, Any]) -> str:
    """Return the lists, or one list's concepts."""
    if "lists" in result:
        rows = [
            (item["name"], str(item["concepts"]), "ships" if item["ships"] else "the project's")
            for item in result["lists"]
        ]
        return table(("list", "concepts", ""), rows, left={0, 2})
    return "\n".join(" | ".join(forms) for forms in result["concepts"])


def completeness(result: CompletenessResult) -> str:
    """Return the judged concepts with the F1 of their feature, then each dictionary's figures."""
    judged = [row for row in result.rows if row.judged]
    rows = [
        (
            row.concept,
            f"{row.occurrences:,}",
            *(f"{d.f1:.2f} {d.features_text()}" if d is not None else "–" for d in row.detectors),
        )
        for row in judged[:_LISTED]
    ]
    names = tuple(d.dictionary for d in result.dictionaries)
    lines = [table(("concept", "occurs", *names), rows, left={0})]
    if len(judged) > _LISTED:
        lines.append(f"… and {len(judged) - _LISTED:,} more")
    lines.append(
        f"{result.judged} of {len(result.rows)} concepts occur at least "
        f"{result.least_occurrences} times in each half of {result.tokens:,} tokens"
    )
    lines += [summary_text(result, place) for place in range(len(result.dictionaries))]
    return "\n".join(lines)
