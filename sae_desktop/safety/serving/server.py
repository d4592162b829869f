"""Starts a served model: what was asked for opened, an address bound, a token made."""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import closing

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.language_model.load import LanguageModel, load_model, require_causal
from sae_desktop.language_model.names import BUILTIN, public_name
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.language_model.text.tokenizer import adds_bos
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, existing
from sae_desktop.safety.monitors.file import Monitor, read_monitor
from sae_desktop.safety.monitors.opening import model_of, open_unchanged
from sae_desktop.safety.serving.app import Heard, make_app
from sae_desktop.safety.serving.config import LOOPBACK, TOKEN_VARIABLE, ServeConfig, Served
from sae_desktop.safety.serving.guard import Guard
from sae_desktop.safety.serving.hits_log import HitsLog
from sae_desktop.safety.serving.lab import Lab
from sae_desktop.safety.serving.turns import Turns
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.presets import Preset, check_preset, read_preset
from sae_desktop.steering.readers import ReadyGate
from sae_desktop.steering.ready_gates import ready_gate

_TOKEN_BYTES = 24


class ServedModel:
    """A model at an address: bound when it is made, answering while `run` lasts."""

    def __init__(self, config: ServeConfig, heard: Heard | None = None) -> None:
        """`heard` is told of each request that was answered.

        Raises UserError for what cannot be served, and for an address that cannot be bound.
        """
        refuse_beyond_limits(config)
        self._socket = bound(config.host, config.port)
        try:
            self._lab = open_lab(config)
            hits = HitsLog.new(Project.open(config.project)) if config.monitors else None
        except BaseException:
            self._socket.close()
            raise
        token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(_TOKEN_BYTES)
        self._turns = Turns(config.at_once)
        self._app = Guard(make_app(self._lab, self._turns, hits, heard), token)
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.served = Served(
            url=f"http://{shown}:{port}/v1", token=token, model=self._lab.name,
            steering=config.preset, monitors=config.monitors,
            hits=str(hits.path) if hits is not None else "",
        )  # fmt: skip

    def run(self, started: Callable[[Callable[[], None]], None] | None = None) -> None:
        """Answer until a signal, or until what `started` is given is called."""
        import uvicorn
        from uvicorn.protocols.http.h11_impl import H11Protocol

        config = uvicorn.Config(
            self._app, http=H11Protocol, ws="none", lifespan="off", log_level="warning",
            access_log=False, server_header=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)

        def end() -> None:
            server.should_exit = True

        if started is not None:
            started(end)
        with closing(self._socket):
            try:
                server.run(sockets=[self._socket])
            finally:
                self._turns.end()


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address. Raises UserError where it cannot."""
    found: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        if os.name != "nt":  # there it would let two servers share a port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
        return found
    except (OSError, OverflowError) as error:
        if found is not None:
            found.close()
        raise UserError(
            f"Nothing can listen at {host}, port {port}: {_why(error)}.",
            next_step="Choose another port with --port, or --port 0 for one that is free; the "
            f"host is usually {LOOPBACK}.",
        ) from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "another program already uses it"
    return str(getattr(error, "strerror", None) or error)


def open_lab(config: ServeConfig) -> Lab:
    """Return the model with its steering and monitors. Raises UserError as they do."""
    if (config.preset or config.monitors) and not config.project:
        raise UserError(
            "Steering and monitors lie in a project, and none was given.",
            next_step="Name it with --project.",
        )
    project = Project.open(config.project) if config.project else None
    preset = read_preset(project, config.preset) if project and config.preset else None
    opened = None
    if project is not None and preset is not None:
        opened = open_index(str(project.path), _index_of(project, preset, config.index),
                            config.device)  # fmt: skip
        check_preset(preset, opened.index.info)
    monitors = [read_monitor(project, name) for name in config.monitors] if project else []
    lm = _model(config, project, opened, monitors)
    require_causal(lm, "Serving")
    preparer = None if opened is None else Preparer(config.project, opened)
    variant = None
    if preset is not None:
        variant = next((v for v in preset.variants if v.interventions or v.stop), None)
        if variant is None:
            raise UserError(
                f"The preset “{preset.name}” steers nothing.", next_step="Choose another preset."
            )
    usual = preset.sampling if preset else Sampling(temperature=1.0, repetition_penalty=1.0)
    name = public_name(lm.name) + (f" + {preset.name}" if preset else "")
    begins = list(lm.window_tokens[0]) if adds_bos(lm.tokenizer) else []
    return Lab(
        lm=lm, name=name, bos=opened.bos if opened else begins,
        preparer=preparer,
        plan=preparer.plan(variant.interventions) if preparer and variant else {},
        stops=[preparer.gate(gate) for gate in variant.stop] if preparer and variant else [],
        monitors=[(monitor, _watch(config, lm, monitor)) for monitor in monitors],
        sampling=usual,
    )  # fmt: skip


def _model(
    config: ServeConfig,
    project: Project | None,
    opened: OpenedIndex | None,
    monitors: list[Monitor],
) -> LanguageModel:
    """Return the model. Raises UserError where a preset or a monitor is of another one."""
    if opened is not None:
        lm = opened.lm
    elif project is not None and monitors and not config.model:
        lm = model_of(project, monitors[0], config.device)
    else:
        return load_model(config.model or BUILTIN, config.device)
    if config.model and project is not None:
        asked = load_model(config.model, config.device, beside=[lm])
        require_same_model(config.model, asked.mark, lm.name, lm.mark, project.path)
    return lm


def _watch(config: ServeConfig, lm: LanguageModel, monitor: Monitor) -> ReadyGate:
    def opened_of(index: str, known_hash: str) -> OpenedIndex:
        return open_unchanged(config.project, index, known_hash, config.device)

    return ready_gate(config.project, lm, opened_of, Gate(monitor=monitor.name), ())


def _index_of(project: Project, preset: Preset, asked: str) -> str:
    """Return the index that a preset is steered with. Raises UserError where there is none."""
    if asked:
        return existing("index", asked, project.indexes())
    for name in project.indexes():
        if read_info(project.index_path(name)).dictionary == preset.dictionary:
            return name
    raise UserError(
        f"The preset “{preset.name}” steers with the dictionary “{preset.dictionary}”, which has "
        "no index here.",
        next_step="Build one with “sae-desktop index”.",
    )


def spoken(served: Served, host: str) -> str:
    """Return what is said when the server has started; the token is told this once."""
    watched = f"; watched by {', '.join(served.monitors)}" if served.monitors else ""
    lines = [
        f"“{served.model}” answers at {served.url}{watched}.",
        f"Token (the client’s API key): {served.token}",
    ]
    if served.hits:
        lines.append(f"Hits are written to {served.hits}.")
    if host not in (LOOPBACK, "localhost", "::1"):
        lines.append(
            "Other machines can reach this address, and what they send is not encrypted: whoever "
            "reads along sees the token, too."
        )
    lines.append("It ends with Ctrl-C.")
    return "\n".join(lines)
