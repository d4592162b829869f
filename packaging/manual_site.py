"""Build the manual as a static site: plain pages, one style sheet, a search, nothing from outside.

    python packaging/manual_site.py FOLDER

The pages are those that the window shows. What leads into the window is text here. It works from
a folder on the disk as well as from a server.
"""

from __future__ import annotations

import argparse
import html
import json
import shutil
from pathlib import Path

from sae_desktop.cli.app import app
from sae_desktop.cli.manual_command import whole_manual
from sae_desktop.words.manual.contents import FIRST, Manual, chapters, page_ids, picture_path
from sae_desktop.words.manual.page import Page

_PARTS = Path(__file__).parent / "manual"
_INTO_THE_WINDOW = ("window:", "action:", "term:")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – SAE Desktop</title>
<link rel="stylesheet" href="site.css">
</head>
<body>
<div class="whole">
<nav aria-label="Contents">
<input id="search" type="search" placeholder="Search the manual" aria-label="Search the manual">
<ul id="found" aria-live="polite"></ul>
<div id="contents">
{contents}
</div>
</nav>
<main>
{body}
</main>
</div>
<script src="search-index.js"></script>
<script src="search.js"></script>
</body>
</html>
"""


def build(folder: Path) -> list[Path]:
    """Write the site into a folder and return its pages."""
    manual = whole_manual(app)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for name in ("site.css", "search.js"):
        shutil.copyfile(_PARTS / name, folder / name)
    written = []
    for page_id in page_ids():
        page = manual.page(page_id)
        for file, _ in page.pictures():
            shutil.copyfile(picture_path(file), folder / file)
        written.append(folder / f"{page_id}.html")
        written[-1].write_text(_whole(page, manual), encoding="utf-8")
    shutil.copyfile(folder / f"{FIRST}.html", folder / "index.html")
    sections = [
        [one.page, one.anchor, manual.title(one.page), one.title, " ".join(one.text.split())]
        for one in manual.sections()
    ]
    told = json.dumps(sections, ensure_ascii=False, separators=(",", ":"))
    (folder / "search-index.js").write_text(f"const SECTIONS = {told};\n", encoding="utf-8")
    return written


def _whole(page: Page, manual: Manual) -> str:
    words = dict(page.pictures())
    body = page.html(_target, lambda file: f'<img src="{file}" alt="{html.escape(words[file])}">')
    return _PAGE.format(
        title=html.escape(manual.title(page.id)), contents=_contents(page, manual), body=body
    )


def _target(target: str) -> str | None:
    """Return where a link leads on the site; None: into the window, which is not here."""
    if target.startswith(_INTO_THE_WINDOW):
        return None
    page, mark, anchor = target.partition("#")
    return f"{page.removesuffix('.md')}.html{mark}{anchor}" if page.endswith(".md") else target


def _contents(shown: Page, manual: Manual) -> str:
    parts = []
    for chapter in chapters():
        parts.append(f"<h2>{html.escape(chapter.title)}</h2>\n<ul>")
        for page in chapter.pages:
            here = ' aria-current="page"' if page == shown.id else ""
            title = html.escape(manual.title(page))
            parts.append(f'<li><a href="{page}.html"{here}>{title}</a></li>')
        parts.append("</ul>")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the site is written")
    for path in build(parser.parse_args().folder):
        print(path)


if __name__ == "__main__":
    main()
