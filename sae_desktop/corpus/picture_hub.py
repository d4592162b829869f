"""Pictures of a dataset on the hub, and the words beside them: streamed, nothing stored.

Only what the rows of the dataset hold is read; no address in them is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.hub import HubTables
from sae_desktop.corpus.mixed import Item
from sae_desktop.corpus.picture_tables import document_of

AT_ONCE = 64
"""Rows, each of which may hold megabytes."""


def hub_pictures(name: str, settings: CorpusSettings) -> Iterator[Item]:
    """Yield a document of each row, shard after shard in the seed's order.

    Raises UserError for a dataset that is missing or has no pictures, and LostConnectionError.
    """
    tables = HubTables(name, settings)
    for shard in tables.shards:
        number = 0
        for table in tables.batches(shard, AT_ONCE):
            for row in table.to_pylist():
                number += 1
                yield document_of(row, f"shard {shard + 1}, row {number:,}", name)
