"""Jobs that name features, score names and search them: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.job_kind import JobKind
from sae_desktop.labels.models.config import (
    CheckServerConfig,
    CheckServerResult,
    FindServersConfig,
    FindServersResult,
)

LABEL_JOBS: dict[type[msgspec.Struct], JobKind] = {
    FindServersConfig: JobKind(
        "sae_desktop.labels.models.nearby:find_servers",
        FindServersResult,
        "Look for servers on this machine",
        "",
        quiet=True,
    ),
    CheckServerConfig: JobKind(
        "sae_desktop.labels.models.nearby:check_server",
        CheckServerResult,
        "Test the connection",
        "",
        quiet=True,
    ),
}
