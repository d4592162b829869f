"""Make the demonstration “Pictures and words”, by the jobs a person would run.

    python packaging/pictures/pictures_demonstration.py CACHE

Pages of pictures and words (`pages.py`) through `builtin-pictures`, a dictionary of one site,
measured and indexed over other pages; kinds of instance on the drawings of the artist that nothing
was learnt from; the features that stand for one thing in pictures and words labelled with it, by
what they fire on most (`meant`), and listed to start with. None is chosen by hand. What ships is
packed by `demonstration_archive.py`, without the stores and the firings.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

import torch
from demonstration import PrintingContext
from demonstration_archive import pack
from emoji import MAIN, taught
from tokenizers import Tokenizer

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.benchmark.captions.naming import names
from sae_desktop.benchmark.kinds.config import ConceptKindsConfig, ConceptKindsResult
from sae_desktop.benchmark.kinds.job import concept_kinds
from sae_desktop.demonstrations import PICTURES, START_LIST
from sae_desktop.dictionary import load, save
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.label_words import DEMONSTRATION
from sae_desktop.language_model.names import BUILTIN_PICTURES
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate

RESOURCES = Path(__file__).parents[2] / "resources"
NAME = PICTURES.first_index
"""The dictionary, its store and its index."""
INDEXED = "pictures-L3-indexed"
"""The store that is indexed."""
SITE = "blocks.3.hook_resid_post"
LEARNT_PICTURES, SEED = 4000, 1
INDEXED_PICTURES, INDEXED_SEED = 900, 2
PAGES = Path(tempfile.gettempdir()) / "pictures-and-words"
"""The index keeps where its pictures were: a place that tells nothing of who made it."""
CONTEXT_SIZE = 256
MOST_TOKENS = 10**7
"""More than there are."""
FEATURES, K, ROWS, LEARNING_RATE = 2048, 8, 3_000_000, 3e-3
CONTEXTS = {
    "top_contexts": 12, "buckets": 3, "bucket_contexts": 2, "context_reach": 80,
}  # fmt: skip
"""Of the index: what ships should be small, and hold a whole picture."""
PICTURES_SEEN, TEXTS_SEEN, MOST_SHOW, MOST_NAME = 3, 6, 2, 3
"""Of a feature: strongest pictures and texts that are looked at, and how many have to be of a thing
for the feature to stand for it."""
ABOUT = (
    "A small model that was taught to say, in many languages, what a picture shows, and one "
    "dictionary of it: its features fire on words and on pictures. To stay small, this "
    "demonstration leaves out the activations it was trained on and all firings. The pictures are "
    "emoji drawn by Twitter, Microsoft (Fluent Emoji), Emoji One, Streamline and Mozilla (Firefox "
    "OS), recoloured and put on grounds; the notice beside the model tells their licences."
)


def build(work: Path, cache: Path) -> Project:
    """Run the jobs in a project at `work` and return it. What is finished is not done again."""
    project = Project.open_or_create(work, title=PICTURES.title, about=ABOUT)
    path, context = str(project.path), PrintingContext()
    with project.lock():
        for name, pictures, seed in (
            (NAME, LEARNT_PICTURES, SEED),
            (INDEXED, INDEXED_PICTURES, INDEXED_SEED),
        ):
            config = HarvestConfig(
                project=path, name=name, model=BUILTIN_PICTURES, site=SITE, tokens=MOST_TOKENS,
                pictures=str(_pages(cache, pictures, seed)), context_size=CONTEXT_SIZE,
                batch_tokens=8192,
            )  # fmt: skip
            print(harvest(config, context))
        if not project.dictionary_path(NAME).exists():
            training = TrainConfig(
                project=path, name=NAME, activations=NAME, architecture="batchtopk",
                features=FEATURES, k=K, tokens=ROWS, lr=LEARNING_RATE,
            )  # fmt: skip
            print(train(training, context))
            _halve(project.dictionary_path(NAME))
            print(evaluate(EvaluateConfig(project=path, dictionary=NAME), context))
        if not project.index_path(NAME).exists():
            index = IndexConfig(
                project=path, dictionary=NAME, name=NAME, activations=INDEXED, **CONTEXTS
            )
            print(build_index(index, context))
    return project


def _pages(cache: Path, pictures: int, seed: int) -> Path:
    """Return a table of pages, written now if it is not there."""
    out = PAGES / str(seed)
    if not (out / "pages.jsonl").is_file():
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(exist_ok=True)
        subprocess.run(
            [
                sys.executable, Path(__file__).with_name("pages.py"), cache, out,
                "--builtin", RESOURCES / "models/builtin",
                "--corpus", RESOURCES / "corpus/builtin.jsonl.xz",
                "--pictures", str(pictures), "--seed", str(seed),
            ],
            check=True,
        )  # fmt: skip
    return out / "pages.jsonl"


def _halve(folder: Path) -> None:
    """Save a dictionary once more with its weights as float16."""
    save(load(folder), folder, dtype=torch.float16)


def concepts(project: Project, drawings: Path) -> ConceptKindsResult:
    """Choose a feature for each concept on words, and try it on another artist's drawings."""
    config = ConceptKindsConfig(project=str(project.path), index=NAME, pictures=(str(drawings),))
    with project.lock():
        return concept_kinds(config, PrintingContext())


class Meant(NamedTuple):
    """A thing that a feature stands for."""

    feature: int
    name: str
    """In English."""
    pictures: int
    """Of its strongest pictures, those that show it."""
    texts: int
    """Of its strongest texts, those that name it in a main language."""


def meant(project: Project, cache: Path) -> list[Meant]:
    """Return the features that stand for a thing in pictures and words, the clearest first, and of
    those alike the strongest.

    That a feature tells a concept from 29 others does not make it one: a feature of the letters
    “an” tells Canada. So what it fires on most of all decides.
    """
    index = FeatureIndex(project.index_path(NAME))
    tokenizer = Tokenizer.from_file(str(RESOURCES / "models/builtin/tokenizer.json"))
    things = {
        one.names["en"]: [one.names[tag].casefold() for tag in MAIN if tag in one.names]
        for one in taught(cache, tokenizer)
    }
    shown = _shown(things)
    found = []
    for feature in range(index.features):
        contexts = sorted(index.contexts(feature), key=lambda one: -one.activation)
        pictures = list(dict.fromkeys(c.picture.name for c in contexts if c.picture))
        texts = ["".join(c.tokens) for c in contexts if not c.picture][:TEXTS_SEEN]
        seen = [shown.get(one, set()) for one in pictures[:PICTURES_SEEN]]
        for name in sorted(seen[0]) if seen else ():
            show = sum(name in some for some in seen)
            read = sum(names(text, things[name]) for text in texts) if show >= MOST_SHOW else 0
            if read >= MOST_NAME:
                found.append(Meant(feature, name, show, read))
    strongest = index.columns["max_activation"]
    return sorted(found, key=lambda one: (-one.texts - one.pictures, -strongest[one.feature]))


def _shown(things: dict[str, list[str]]) -> dict[str, set[str]]:
    """Return by file the things of which the lines of each indexed picture are the names."""
    pages = (PAGES / str(INDEXED_SEED) / "pages.jsonl").read_text().splitlines()
    contents = [json.loads(page)["content"] for page in pages]
    return {
        first["image"]: {
            name
            for name, words in things.items()
            if any(f": {word}\n" in rest[0]["text"].casefold() for word in words)
        }
        for first, *rest in contents
        if rest
    }


def write_notes(project: Project, found: list[Meant]) -> None:
    """Label features with what they stand for, and list of each thing the clearest."""
    notes, members = Notes(project.notes_path), {}
    listed: set[str] = set()
    for one in found:
        if one.feature in members or one.name in listed:
            continue
        listed.add(one.name)
        notes.save(
            NAME,
            FeatureNote(feature=one.feature, label=one.name, author=DEMONSTRATION, starred=True),
        )
        told = (
            f"{one.pictures} of its {PICTURES_SEEN} strongest pictures show it, "
            f"{one.texts} of its {TEXTS_SEEN} strongest texts name it"
        )
        members[one.feature] = ListMember(feature=one.feature, annotation=told)
        print(f"#{one.feature} {one.name}: {told}")
    FeatureLists(notes).write(
        NAME,
        START_LIST,
        FeatureList(
            name=START_LIST,
            annotation="Features that fire on the drawing of a thing and on the words for it",
            members=list(members.values()),
        ),
    )
    notes.close()


def ship(project: Project, out: Path) -> None:
    """Copy the project without its stores and without the firings."""
    shutil.rmtree(out, ignore_errors=True)
    left_out = shutil.ignore_patterns("*.firings", "checkpoint", ".*", "*-wal", "*-shm")
    shutil.copytree(project.path, out, ignore=left_out)
    for name in (NAME, INDEXED):
        shutil.rmtree(Project.open(out).store_path(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/pictures.saeproj"))
    args = parser.parse_args()
    project = build(args.work, args.cache)
    drawings = args.cache / "emoji-datasource-google/img/google/64"
    concepts(project, drawings)
    write_notes(project, meant(project, args.cache))
    out = Path("build/shipped-pictures.saeproj")
    ship(project, out)
    pack(out, PICTURES.archive)


if __name__ == "__main__":
    main()
