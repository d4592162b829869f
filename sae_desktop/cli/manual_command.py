"""The command that prints the manual, and the one place that has all of its pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError
from sae_desktop.words.manual.contents import MADE, Manual, chapters, page_ids
from sae_desktop.words.manual.page import Page
from sae_desktop.words.manual.search import Hit, search


def manual_of(app: typer.Typer) -> Callable[..., None]:
    """Return the command that prints the manual of a program with the commands of `app`."""

    def manual(
        page: Annotated[
            str, typer.Argument(help="A page, such as train; default: the contents.")
        ] = "",
        search_for: Annotated[
            str, typer.Option("--search", help="Show where these words stand instead.")
        ] = "",
        as_json: JsonOption = False,
    ) -> None:
        """Read the manual: its contents, a page as Markdown, or where something stands in it."""

        def work() -> dict[str, Any]:
            if search_for.strip():
                hits = search(search_for, whole_manual(app).sections())
                return {"text": _hits_text(hits), "found": [_hit(hit) for hit in hits]}
            if not page:
                return {"text": _contents_text(), "pages": list(page_ids())}
            found = page_of(page, app)
            return {"text": found.text.rstrip(), "page": found.id, "title": found.title}

        run_reading_command(work, lambda result: str(result["text"]), as_json=as_json)

    return manual


def page_of(page: str, app: typer.Typer) -> Page:
    """Return a page, made now if it is one that is made. Raises UserError where there is none."""
    known = Manual()
    if page in MADE:
        known.add(page, _make(page, app))
    try:
        return known.page(page)
    except KeyError:
        raise UserError(
            f"The manual has no page “{page}”.", next_step=f"It has: {', '.join(page_ids())}."
        ) from None


def whole_manual(app: typer.Typer) -> Manual:
    """Return the manual with every page that is made."""
    return Manual({page: _make(page, app) for page in MADE})


def _make(page: str, app: typer.Typer) -> str:
    if page == "commands":
        from sae_desktop.cli.commands_page import commands_page

        return commands_page(app)
    if page == "settings":
        from sae_desktop.cli.settings_command import every_setting

        return every_setting()
    if page == "licences":
        from sae_desktop.words.manual.licences_page import licences_page

        return licences_page()
    from sae_desktop.dictionary.formats.describe import markdown

    return markdown()


def _contents_text() -> str:
    manual = Manual()
    lines = []
    for chapter in chapters():
        lines += [chapter.title, *(f"  {page:<18} {manual.title(page)}" for page in chapter.pages)]
    return "\n".join(lines)


def _hits_text(hits: list[Hit]) -> str:
    if not hits:
        return "Nothing found. Try fewer or shorter words."
    return "\n".join(f"{h.section.page}: {h.section.title}\n  {h.snippet}" for h in hits)


def _hit(hit: Hit) -> dict[str, Any]:
    section = hit.section
    return {"page": section.page, "anchor": section.anchor, "title": section.title,
            "snippet": hit.snippet}  # fmt: skip
