"""Datasets of the hub, streamed: shard after shard, nothing stored."""

from __future__ import annotations

import random
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sae_desktop.corpus.arrow_tables import BATCH_ROWS, no_split, schema_kinds
from sae_desktop.corpus.columns import PEEK_ROWS, Kind, Part, table_records
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.records import LeftOutError, LostConnectionError, Record, Report
from sae_desktop.errors import UserError
from sae_desktop.interruption import wait
from sae_desktop.storage.network import network_off, way_online, why_offline

RETRY_SECONDS = (2.0,)
"""Waits before a lost connection is made again. Before that the hub's own client has tried again
five times within 23 seconds."""
_ANSWER_SECONDS = 5.0
_LISTED = re.compile(r"\[([^\]]*)\]")
_CONNECTION_MODULES = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "aiohttp")


class HubTables:
    """A dataset of the hub. Raises UserError where it, its subset or its split is missing, where
    the terms of use were not accepted, and where the hub cannot be reached."""

    def __init__(self, name: str, settings: CorpusSettings) -> None:
        self.name, self.settings = name, settings
        self.documents = 0
        self.first: Any = None
        """The first rows: those of the first shard that has any. All have the same columns."""
        self._answered = False
        self._stream = self._opened(self._load)

    @property
    def shards(self) -> list[int]:
        """The shards in the seed's order."""
        order = list(range(self._stream.num_shards))
        random.Random(self.settings.seed).shuffle(order)
        return order

    def shard_records(self, shard: int, report: Report) -> Iterator[Record]:
        """Yield the texts of a shard. Raises LeftOutError where it has none."""
        for record in table_records(_Shard(self, shard), self.settings, report):
            self.documents += 1
            yield record

    def records(self, report: Report) -> Iterator[Record]:
        """Yield the texts of all shards, one after the other in the seed's order."""
        reasons: list[LeftOutError] = []
        for index in self.shards:
            try:
                yield from self.shard_records(index, report)
            except LeftOutError as reason:
                report.left_out[reason.kind] += 1
                reasons.append(reason)
        if reasons and not self.documents:
            raise reasons[0]

    def batches(self, shard: int, rows: int) -> Iterator[Any]:
        """Yield a shard's Arrow tables; after a lost connection, from where it was lost."""
        given, failures = 0, 0
        while True:
            stream = self._stream.shard(self._stream.num_shards, shard)
            try:
                for table in stream.with_format("arrow").skip(given).iter(rows):
                    given += table.num_rows
                    failures = 0
                    yield table
            except Exception as error:
                if not is_connection_fault(error):
                    raise self._explained(error) from error
                if failures == len(RETRY_SECONDS):
                    raise self._lost() from error
                wait(RETRY_SECONDS[failures])
                failures += 1
                continue
            return

    def _load(self) -> Any:
        if network_off() or (not hub_is_offline() and not _answers()):
            raise _unreachable(self.name)
        # By way of another machine it is not known yet whether there is a connection at all.
        self._answered = not urllib.request.getproxies()
        import datasets

        datasets.utils.logging.set_verbosity_error()
        # Its twenty further retries, around those of the hub's client, would be minutes of silence.
        datasets.config.STREAMING_READ_MAX_RETRIES = 1
        datasets.config.STREAMING_READ_RETRY_INTERVAL = 0
        datasets.config.STREAMING_OPEN_MAX_RETRIES = 1
        datasets.config.STREAMING_OPEN_RETRY_INTERVAL = 0
        return datasets.load_dataset(
            self.name, self.settings.subset or None, split=self.settings.split, streaming=True
        )

    def _opened(self, load: Callable[[], Any]) -> Any:
        try:
            return load()
        except Exception as error:
            raise self._explained(error) from error

    def _lost(self) -> LostConnectionError:
        return LostConnectionError(self.name)

    def _explained(self, error: Exception) -> Exception:
        """Return a fault of opening or reading in words."""
        if isinstance(error, UserError):
            return error
        name, text = self.name, str(error)
        faults = [type(fault).__name__ for fault in _causes(error)]
        listed = [part.strip(" '\"") for part in _last(_LISTED.findall(text)).split(",")]
        if "GatedRepoError" in faults or "gated dataset" in text:
            return UserError(
                f"“{name}” is available only to people who have accepted its terms.",
                next_step="Accept them on its page, sign in with “hf auth login”, and try again.",
            )
        if text.startswith("Bad split"):
            return no_split(name, self.settings.split, listed)
        if "BuilderConfig" in text and "not found" in text:
            return UserError(
                f"“{name}” has no subset “{self.settings.subset}”.",
                next_step=f"Its subsets are: {_names(listed)}.",
            )
        if text.startswith("Config name is missing"):
            return UserError(
                f"“{name}” has several subsets and no default.",
                next_step=f"Choose a subset: {_names(listed)}.",
            )
        if "scripts are no longer supported" in text:
            return UserError(
                f"“{name}” is built by its own program code, which is not run.",
                next_step="Choose a copy of it in Parquet or JSON lines.",
            )
        if hub_is_offline() or is_connection_fault(error):
            lost = self._answered and not hub_is_offline()
            return self._lost() if lost else _unreachable(name)
        if "DatasetNotFoundError" in faults or "RepositoryNotFoundError" in faults:
            return UserError(
                f"There is no file or folder “{name}”, and no dataset of that name on the hub.",
                next_step="Check the spelling; for a private dataset, run “hf auth login” first.",
            )
        first = (text.strip().splitlines() or [type(error).__name__])[0][:300].rstrip(". ")
        return UserError(
            f"The dataset “{name}” cannot be read: {first}.",
            next_step="Choose another subset or split, or download its files and choose them.",
        )


class _Shard:
    """A shard of a dataset, as a table."""

    def __init__(self, tables: HubTables, index: int) -> None:
        self._tables, self._index = tables, index
        self.label = tables.name
        self.declared: Mapping[str, Kind] = {}
        if tables.first is None:
            tables.first = next(tables.batches(index, PEEK_ROWS), None)
        if tables.first is not None:
            self.declared = schema_kinds(tables.first.schema)

    def peek(self) -> list[dict[str, Any]]:
        first = self._tables.first
        return first.to_pylist() if first is not None else []

    def parts(self) -> list[Part]:
        return [Part(1.0)]

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        del part
        number = 0
        for table in self._tables.batches(self._index, BATCH_ROWS):
            for row in table.select(list(dict.fromkeys(needed))).to_pylist():
                number += 1
                yield number, row

    def place(self, number: int) -> str:
        return f"Row {number:,} of shard {self._index + 1} of “{self.label}”"


def hub_is_offline() -> bool:
    """Whether the person asked that the hub be left alone."""
    return bool(why_offline())


def _answers() -> bool:
    """Whether the hub takes connections. The client itself would ask for half a minute."""
    if urllib.request.getproxies():
        return True  # it may be reached by way of another machine only
    from huggingface_hub import constants

    url = urllib.parse.urlsplit(constants.ENDPOINT)
    try:
        port = url.port or (80 if url.scheme == "http" else 443)
        socket.create_connection((url.hostname or "", port), _ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def is_connection_fault(error: BaseException) -> bool:
    """Whether an error, or what caused it, is one of the network. Each library has its own."""
    return any(
        isinstance(fault, ConnectionError | TimeoutError)
        or type(fault).__module__.partition(".")[0] in _CONNECTION_MODULES
        or (type(fault).__name__ == "HfHubHTTPError" and _server_fault(fault))
        for fault in _causes(error)
    )


def _server_fault(fault: BaseException) -> bool:
    response = getattr(fault, "response", None)
    return response is None or response.status_code >= 500 or response.status_code == 429


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _unreachable(name: str) -> UserError:
    reason = why_offline() or "the hub cannot be reached"
    return UserError(
        f"“{name}” is not a file or folder on this machine, and {reason}.",
        next_step=f"{way_online()}, or choose a file, a folder or “builtin”.",
    )


def _names(listed: Sequence[str]) -> str:
    shown = [f"“{name}”" for name in listed[:20] if name]
    return ", ".join(shown) + (" and others" if len(listed) > len(shown) else "")


def _last(found: Sequence[str]) -> str:
    return found[-1] if found else ""
