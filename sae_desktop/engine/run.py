"""Running a job of any kind, here and now."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable
from typing import Any, cast

import msgspec

from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import job_kind
from sae_desktop.exchange.recognise import refuse_other_kinds
from sae_desktop.interruption import interrupted_by
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits

JobFunction = Callable[[Any, JobContext], msgspec.Struct]

import_lock = threading.RLock()
"""Held while a job's modules are imported: transformers loads its parts on first use, and two
threads that do so at once see half a module."""


def run_job(config: JobConfig, context: JobContext) -> msgspec.Struct:
    """Run a job here and now, and return its result struct.

    Raises UserError for a setting outside its bounds, for a file of another kind than the job
    takes, and whatever the job raises.
    """
    refuse_beyond_limits(config)
    refuse_other_kinds(config)
    module, name = job_kind(config).function.split(":")
    # A job from elsewhere brings its own libraries and need not wait for ours.
    ours = module.startswith("sae_desktop.")
    with import_lock if ours else contextlib.nullcontext():
        function = cast(JobFunction, getattr(importlib.import_module(module), name))
    with interrupted_by(context.check_cancelled):
        return function(config, context)
