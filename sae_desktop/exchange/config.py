"""What imports and exports are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.exchange.set_config import SetFound
from sae_desktop.file_kinds import takes
from sae_desktop.training.config import EvaluateResult

DictionaryFormat = Literal["saelens", "sparsify", "dictionary_learning", "html"]
"""html: a page for people of the run that made it."""
FeaturesFormat = Literal["neuronpedia", "saedashboard", "delphi", "html", "labels"]
"""labels: a .csv, .tsv, .json, .jsonl or .parquet file of what is written of the features."""
_DICTIONARIES = takes("dictionary", "project")


class FindDictionariesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="find_dictionaries"):
    """Look which dictionaries a source holds; nothing is written but a download."""

    source: Annotated[str, _DICTIONARIES]
    """A folder, a file of weights, a .zip, a repository of the hub as owner/name[/folder], or
    a release of SAELens's directory as saelens:release/id."""


class DictionaryFound(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    """Within the source; what `ImportDictionaryConfig.which` takes."""
    format: str
    architecture: str
    width: int
    features: int
    model: str
    site: str
    """Empty where the files do not say it."""
    site_out: str
    notes: list[str]


class FindDictionariesResult(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    dictionaries: list[DictionaryFound]
    sets: list[SetFound] = []
    """Those of them that are the layers of one."""


class ImportDictionaryConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_dictionary"):
    """Copy a dictionary made elsewhere into a project, everything folded in."""

    project: str
    name: str
    source: Annotated[str, _DICTIONARIES]
    which: str = ""
    """Of a source with several: the path of one, as it was found."""
    model: str = ""
    """Instead of what the files say."""
    site: str = ""
    site_out: str = ""
    scale: float = 1.0
    """What rows were multiplied by in training, where its files do not hold it; 1: nothing."""
    sha256: str = ""
    """That the file of its weights must have; empty: it is not asked."""
    with_model: bool = False
    """Also download its model where that is not on this machine; `model` must name it."""


class ImportDictionaryResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    format: str
    architecture: str
    """As it is kept."""
    features: int
    width: int
    model: str
    site: str
    site_out: str
    bytes: int
    notes: list[str]


class ExportDictionaryConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_dictionary"):
    """Write a dictionary as another library reads it."""

    project: str
    dictionary: str
    path: str
    """A new or empty folder; for html a file."""
    format: DictionaryFormat = "saelens"


class ExportResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an export wrote."""

    path: str
    files: int
    bytes: int


class ImportFeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_features"):
    """Make an index of feature data of Neuronpedia, SAEDashboard or Delphi."""

    project: str
    name: str
    """Of the index."""
    source: Annotated[str, takes("features")]
    """The folder of the batches, or of Delphi's cached latents; or a .zip of it."""
    dictionary: str = ""
    """Under which labels are kept; empty: the name of the index."""
    model: str = ""
    """Instead of what the data say."""
    site: str = ""


class ImportFeaturesResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    format: str
    model: str
    site: str
    features: int
    with_contexts: int
    labels: int
    bytes: int


class ExportFeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_features"):
    """Write features of an index as another program, or a person, reads them."""

    project: str
    index: str
    path: str
    """A folder that is new or empty; for html and labels a file."""
    format: FeaturesFormat = "neuronpedia"
    features: list[int] = []
    """None: those of the list, or all."""
    member_of: str = ""
    """Those of this list."""
    most: int = 0
    """Number of features at most, those that fire most often first; 0: all."""
    every_label: bool = False
    """Of a table of labels: all labels of each feature, rejected ones too."""
    automatic_names: bool = False
    """The names by statistics, too, where nobody's label is shown; marked automatic."""


class ImportLabelsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_labels"):
    """Take labels, scores, stars and notes of a .csv, .json or .parquet file."""

    project: str
    index: str
    file: Annotated[str, takes("labels")]
    """Or the folder of Delphi's explanations."""
    make_list: str = ""
    """The features of the file become this list, in their order; empty: none is made."""


class ImportLabelsResult(msgspec.Struct, frozen=True, kw_only=True):
    labels: int
    new: int
    """Of these, those that were not there."""
    scores: int
    stars: int
    notes: int
    listed: int


class PackageCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a package holds."""

    schema_version: int
    name: str
    index: str
    """Empty: none is in it."""
    model: str
    model_revision: str = ""
    """The model's identity."""
    model_origin: str = ""
    """In words, where its weights come from and what they went through."""
    site: str
    architecture: str
    features: int
    width: int
    licence: str = ""
    about: str = ""
    evaluation: EvaluateResult | None = None
    layers: tuple[int, ...] = ()
    """Of a set; none: it is one dictionary."""
    outputs: tuple[str, ...] = ()
    """The sites that a dictionary writes, where there are several."""
    reads_twice: bool = False
    started_from: str = ""
    """In words, the dictionary that it was trained further from; empty: it began at random."""
    """Whether it looks a second time at what it leaves over."""


class ExportPackageConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_package"):
    """Write a dictionary with its index and labels as one file."""

    project: str
    dictionary: str
    path: str
    """A .saepack file."""
    index: str = ""
    licence: str = ""
    """As the hub names licences: mit, apache-2.0, cc-by-4.0."""
    about: str = ""


class ImportPackageConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_package"):
    """Put a package into a project."""

    project: str
    file: Annotated[str, takes("package")]
    name: str = ""
    """Instead of the package's own, for dictionary and index."""


class ImportPackageResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    index: str
    features: int
    labels: int
    lists: int
    card: PackageCard
