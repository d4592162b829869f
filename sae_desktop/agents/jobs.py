"""Jobs that an agent may run where a person allowed it: inside the project, off the network."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from sae_desktop.agents.bounds import MOST_BYTES, bounded, cut, require_allowed
from sae_desktop.api import Job, Project, config_from, job_kinds
from sae_desktop.engine.explain import explain
from sae_desktop.errors import UserError

MOST_RUNNING = 2
_KEPT = 50


class Jobs:
    """The jobs of one server, by number."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._next = 1

    def kinds(self) -> dict[str, Any]:
        """Return the kinds of job, with what each does."""
        return bounded({"kinds": {name: kind.told for name, kind in job_kinds().items()}})

    def described(self, kind: str) -> dict[str, Any]:
        """Return the settings of a kind of job, as a JSON schema."""
        found = job_kinds().get(kind)
        if found is None:
            raise UserError(
                f"There is no kind of job “{kind}”.", next_step="list_job_kinds names them."
            )
        return bounded({"kind": kind, "schema": msgspec.json.schema(found.config)})

    def start(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Start a job of this project and return its number."""
        data = dict(config)
        kind = job_kinds().get(str(data.get("type")))
        path = self._project.path
        if kind is not None and "project" in kind.config.__struct_fields__:
            data.setdefault("project", str(path))
        if data.get("project", str(path)) != str(path):
            raise UserError(
                "The job is of another project.", next_step="Leave “project” out of the config."
            )
        require_allowed({k: v for k, v in data.items() if k != "project"}, path)
        made = config_from(data)
        with self._lock:
            running = [job for job in self._jobs.values() if job.state == "running"]
            if len(running) >= MOST_RUNNING:
                raise UserError(
                    f"{MOST_RUNNING} jobs are running already.",
                    next_step="Wait for one (job_status), or cancel it (cancel_job).",
                )
            number, self._next = self._next, self._next + 1
            self._jobs[number] = self._project.start(made)
            for old in list(self._jobs)[:-_KEPT]:
                if self._jobs[old].state != "running":
                    del self._jobs[old]
        return self.status(number, 0.0)

    def status(self, number: int, seconds: float) -> dict[str, Any]:
        """Return how far a job is, once it has ended or `seconds` have passed; at its end what it
        has brought, or why it failed."""
        job = self._job(number)
        job.join(min(max(seconds, 0.0), 60.0))
        state = job.state
        told: dict[str, Any] = {"job": number, "state": state}
        if state == "running":
            now = job.latest_progress()
            if now is not None:
                told |= {"done": now.done, "total": now.total, "unit": now.unit}
        elif state == "finished":
            told["result"] = _short(job.wait())
        elif state == "failed":
            info = explain(job.error, job.config) if job.error is not None else None
            parts = (info.what, info.kept, info.next_step) if info is not None else ()
            told["error"] = cut(" ".join(filter(None, parts)), 2000)
        return bounded(told)

    def cancel(self, number: int) -> dict[str, Any]:
        """Let a job end at its next safe point; what it has committed is kept."""
        self._job(number).cancel()
        return self.status(number, 1.0)

    def cancel_all(self) -> None:
        """Let all end, as whoever asked for them has gone."""
        for job in self._jobs.values():
            job.cancel()
        for job in self._jobs.values():
            job.join(None)

    def _job(self, number: int) -> Job:
        found = self._jobs.get(number)
        if found is None:
            there = ", ".join(map(str, self._jobs)) or "none yet"
            raise UserError(f"There is no job {number}.", next_step=f"There are: {there}.")
        return found


def _short(result: Any) -> Any:
    """Return a result as plain data; of long lists the beginning, where it is long."""
    plain = msgspec.to_builtins(result)
    for most in (1000, 100, 20, 5):
        found = _cut_lists(plain, most)
        if len(msgspec.json.encode(found)) < MOST_BYTES - 2000:
            return found
    return {"too_long": True, "fields": sorted(plain)}


def _cut_lists(value: Any, most: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut_lists(one, most) for key, one in value.items()}
    if isinstance(value, list):
        return [_cut_lists(one, most) for one in value[:most]]
    return cut(value, 4000) if isinstance(value, str) else value
