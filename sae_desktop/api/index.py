"""An index: what was measured about the features of a dictionary on a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.api import html
from sae_desktop.api.feature import Feature, FeatureList
from sae_desktop.api.probed import ProbedText
from sae_desktop.api.shapes import Owner
from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig
from sae_desktop.features.reading.condition_text import range_of
from sae_desktop.features.reading.filter import (
    NUMBER,
    FeatureFilter,
    falls_first,
    matching,
    ordered,
)
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.noted import NotedMarks, hide_stale_scores
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project_labels import Label
from sae_desktop.project_note import FeatureNote
from sae_desktop.project_notes import Notes
from sae_desktop.steering.config import PLAIN, SteerConfig, SteerResult, clamped

Array = npt.NDArray[Any]


class Index:
    """An index of F features over R rows of text.

    `index[7]` is feature 7; iterating gives all of them. Get one by `Project.index`.
    """

    def __init__(self, project: Owner, name: str) -> None:
        self.project = project
        self.name = name
        self.path: Path = project.folder.index_path(name)
        self.file = FeatureIndex(self.path)
        """The reader beneath: everything that the file holds."""
        with closing(_NotesIfAny(project)) as opened:
            hide_stale_scores(self.file, opened.notes)

    def __repr__(self) -> str:
        return f"<Index {self.name}: {len(self):,} features of {self.info.dictionary}>"

    # ------------------------------------------------------------------ features
    def __len__(self) -> int:
        """F."""
        return self.file.features

    def __getitem__(self, number: int) -> Feature:
        """Return a feature by its number. Raises UserError for one that there is not."""
        return Feature(self, self.file.check_feature(int(number)))

    def __iter__(self) -> Iterator[Feature]:
        return iter(FeatureList(self, np.arange(len(self))))

    def search(
        self,
        text: str = "",
        *,
        where: str | Iterable[str] = (),
        sort: str = "max_activation",
        falling: bool | None = None,
        **conditions: Any,
    ) -> FeatureList:
        """Return the features that meet all conditions, in an order.

        `text`: words of label, note or automatic name, or the beginning of the number; `where`:
        conditions on columns, such as "density<0.01"; `conditions`: other fields of the filter that
        the window and `sae-desktop features` use: `context`, `token`, `raises`, `languages`,
        `member_of`, `starred_only`, `labelled_only`, `alive_only` …

        `sort`: a column, or "number", "label", "starred", "score"; `falling`: from the largest on;
        None: numbers are, names are not. Raises UserError for a column that there is not.
        """
        stated = (where,) if isinstance(where, str) else tuple(where)
        unknown = set(conditions) - set(FeatureFilter.__struct_fields__)
        if unknown:
            known = ", ".join(FeatureFilter.__struct_fields__)
            raise UserError(
                f"Features have no condition “{min(unknown)}”.", next_step=f"There are {known}."
            )
        for name, value in conditions.items():
            if isinstance(value, list):
                conditions[name] = tuple(value)
        ranges = (*conditions.pop("ranges", ()), *map(range_of, stated))
        asked = FeatureFilter(text=text, ranges=ranges, **conditions)
        column = NUMBER if sort == "number" else sort
        if column == NUMBER:
            falling = bool(falling)
        with closing(_NotesIfAny(self.project)) as opened:
            marks = NotedMarks(opened.notes, self.info.dictionary)
            found = matching(asked, self.file, marks)
            down = falls_first(column) if falling is None else falling
            return FeatureList(self, ordered(found, column, down, self.file, marks))

    # ------------------------------------------------------------------ arrays
    @property
    def info(self) -> IndexInfo:
        """What it was made from: dictionary, model, site, store, rows."""
        return self.file.info

    @property
    def columns(self) -> Mapping[str, Array]:
        """The figures of all features by name, (F,) each.

        Those of the index itself are read-only views of the mapped file: nothing is copied, and
        nothing is read before it is looked at. Those that later jobs have added (effects on the
        output, names, scores, kinds) lie in files of their own and are in memory. A cell that was
        not measured is NaN; of a column that names something it is −1.
        """
        return self.file.columns

    def column(self, name: str) -> Array:
        """Return one of the columns (F,). Raises UserError for one that there is not."""
        if name not in self.file.columns:
            raise UserError(
                f"The index “{self.name}” has no column “{name}”.",
                next_step=f"It has {', '.join(sorted(self.file.columns))}.",
            )
        return self.file.columns[name]

    @property
    def arrays(self) -> Mapping[str, Array]:
        """Every dataset of the file by its path, such as "contexts/row": views of the mapped file,
        read-only (of an index of the first schema some are copies)."""
        return self.file.arrays

    @property
    def tokens(self) -> Array:
        """(R,) int32, the token of every row; a view of the mapped file."""
        return self.file.tokens

    def token(self, number: int) -> str:
        """Return the text of a token."""
        return self.file.token(number)

    # ------------------------------------------------------------------ notes
    def notes(self, features: Iterable[int]) -> dict[int, FeatureNote]:
        """Return what people wrote about features, an empty note for one without."""
        asked = [int(feature) for feature in features]
        with closing(_NotesIfAny(self.project)) as opened:
            found = opened.notes.notes(self.info.dictionary, asked) if opened.notes else {}
        return {number: found.get(number) or FeatureNote(feature=number) for number in asked}

    def labels_of(self, feature: int) -> list[Label]:
        """Return all labels of a feature, the shown one first."""
        with closing(_NotesIfAny(self.project)) as opened:
            return opened.notes.labels_of(self.info.dictionary, feature) if opened.notes else []

    # ------------------------------------------------------------------ asking the model
    def probe(self, text: str, **settings: Any) -> ProbedText:
        """Return which features fire on each token of a text: the model reads it now.

        `settings`: other fields of `ProbeConfig`, such as `per_token`, `rank`, `device`.
        """
        config = self.project.config(ProbeConfig, index=self.name, text=text, **settings)
        return ProbedText(self, self.project.run(config))

    def steer(
        self, prompt: str, strengths: Mapping[int | Feature, float], **settings: Any
    ) -> SteerResult:
        """Return how the model continues a prompt, plain and with features clamped.

        `strengths`: feature → multiples of its maximum, at every token; `settings`: other fields of
        `SteerConfig`, such as `sampling`, `device`. The two texts are `variants[0]` and `[1]`.
        """
        clamps = {
            one.number if isinstance(one, Feature) else int(one): float(strength)
            for one, strength in strengths.items()
        }
        config = self.project.config(
            SteerConfig,
            index=self.name,
            prompt=prompt,
            **{"variants": [PLAIN, clamped(clamps)], **settings},
        )
        found: SteerResult = self.project.run(config)
        return found

    def _repr_html_(self) -> str:
        info = self.info
        alive = int((np.asarray(self.column("density")) > 0).sum())
        rows = [
            ("dictionary", info.dictionary),
            ("model", info.model),
            ("site", info.site),
            ("text", f"{info.rows:,} tokens of {info.corpus or 'the store'}"),
            ("features", f"{len(self):,}, of which {alive:,} fire"),
        ]
        return html.heading(f"Index {self.name}") + html.table(("", ""), rows)


class _NotesIfAny:
    """A project's notes where it has some: asking makes no file."""

    def __init__(self, project: Owner) -> None:
        path = project.folder.notes_path
        self.notes = Notes(path) if path.is_file() else None

    def close(self) -> None:
        if self.notes is not None:
            self.notes.close()
