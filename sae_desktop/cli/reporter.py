"""What a command reports: progress on standard error, its result on standard output.

Libraries print where they like; while a command runs, none of it reaches standard output,
and with `--json` none of it comes between the JSON lines of standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from sae_desktop.cli.console import encoded, visible, visible_json
from sae_desktop.engine.pipe import take_standard_output
from sae_desktop.engine.protocol import (
    ErrorInfo,
    Event,
    JobLog,
    JobMetrics,
    JobOutput,
    JobProgress,
)
from sae_desktop.reports.logs import begin_command_log, command_log, end_log, output_file

Render = Callable[[Any], str]


class Reporter(Protocol):
    def events(self, events: Sequence[Event]) -> None:
        """Show what a job reports while it runs."""

    def note(self, message: str) -> None:
        """Show one sentence."""

    def stage(self, title: str) -> None:
        """Show that another job of the same command begins."""

    def heard(self, data: msgspec.Struct) -> None:
        """Hand over what happened while a command runs, for programs alone."""

    def result(self, result: Any, render: Render) -> None:
        """Show the result; `render` turns it into text for a person."""

    def error(self, error: ErrorInfo) -> None:
        """Show what went wrong."""

    def close(self) -> None:
        """End the progress display."""


def make_reporter(title: str, *, as_json: bool) -> Reporter:
    """Return the reporter a command was asked to use. From here on it owns both streams."""
    return JsonReporter() if as_json else TextReporter(title)


class JsonReporter:
    """JSON lines on standard error; one object on the last line of standard output."""

    def __init__(self) -> None:
        self._out = take_standard_output()
        self._err = os.dup(2)
        log = output_file(command_log())
        os.dup2(log, 2)
        os.dup2(log, 1)
        os.close(log)
        self._log = begin_command_log()

    def events(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case JobProgress():
                    self._line({"progress": _without_id(event)})
                case JobMetrics():
                    for step, values in zip(event.steps, event.values, strict=True):
                        self._line({"metrics": {"step": step, **values}})
                case JobOutput():
                    self._line({"output": event.data})
                case JobLog():
                    self._line({"log": event.message})

    def note(self, message: str) -> None:
        self._line({"log": message})

    def stage(self, title: str) -> None:
        self._line({"stage": title})

    def heard(self, data: msgspec.Struct) -> None:
        self._line({"output": data})

    def result(self, result: Any, render: Render) -> None:
        del render
        _write(self._out, visible_json(msgspec.json.encode(result)) + b"\n")

    def error(self, error: ErrorInfo) -> None:
        self._line({"error": error})

    def close(self) -> None:
        end_log(self._log)

    def _line(self, content: dict[str, Any]) -> None:
        _write(self._err, visible_json(msgspec.json.encode(content)) + b"\n")


class TextReporter:
    """A progress bar on standard error and readable text on standard output."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

        self._out = take_standard_output()
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=self._console,
        )
        self._title = visible(title)
        self._task: TaskID | None = None

    def events(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, JobProgress):
                self._advance(event)
            elif isinstance(event, JobLog):
                self.note(event.message)

    def _advance(self, event: JobProgress) -> None:
        from sae_desktop.cli.render import progress_words

        words = visible(progress_words(event))
        total = event.total or None
        if self._task is None:
            self._task = self._progress.add_task(self._title, total=total, words=words)
            self._progress.start()
        self._progress.update(self._task, completed=event.done, total=total, words=words)

    def note(self, message: str) -> None:
        self._print(message)

    def stage(self, title: str) -> None:
        self._title, self._task = visible(title), None
        self.note(title)

    def heard(self, data: msgspec.Struct) -> None:
        del data

    def result(self, result: Any, render: Render) -> None:
        self.close()
        _write(self._out, encoded(f"{render(result)}\n"))

    def error(self, error: ErrorInfo) -> None:
        self.close()
        self._print(error.what, style="bold red")
        for line in (error.kept, error.next_step):
            if line:
                self._print(line)

    def _print(self, text: str, *, style: str | None = None) -> None:
        self._console.print(visible(text), style=style, markup=False)

    def close(self) -> None:
        if self._task is not None:
            self._progress.stop()


def _without_id(event: JobProgress) -> dict[str, Any]:
    fields = msgspec.structs.asdict(event)
    del fields["job_id"]
    return fields


def _write(descriptor: int, data: bytes) -> None:
    sys.stdout.flush()
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:  # the reader, such as head, has enough
        return
