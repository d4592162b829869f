"""The engine as a process of its own: how it is started, listened to and let go of."""

from __future__ import annotations

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment

from sae_desktop import launch

_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
}

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What the libraries of linear algebra read their number of threads from."""


def engine_command() -> list[str]:
    """Return the program and arguments that run the engine."""
    return launch.command("sae_desktop.engine")


class EngineProcess(QProcess):
    """A process in the engine's environment."""

    def __init__(self, parent: QObject, threads: int = 0) -> None:
        """`threads`: how many the engine computes with; 0: as many as it finds best."""
        super().__init__(parent)
        environment = QProcessEnvironment.systemEnvironment()
        for name, value in _ENVIRONMENT.items():
            environment.insert(name, value)
        for name in _THREADS if threads > 0 else ():
            environment.insert(name, str(threads))
        self.setProcessEnvironment(environment)

    def silence(self) -> None:
        """Have its signals reach nobody any more."""
        for signal in (
            self.readyReadStandardOutput,
            self.readyReadStandardError,
            self.finished,
            self.errorOccurred,
        ):
            signal.disconnect()

    def let_go(self) -> None:
        """Forget the process: it continues when this object does not."""
        self.setProcessState(QProcess.ProcessState.NotRunning)
