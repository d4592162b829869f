"""`sae-desktop`, also `python -m sae_desktop`.

The window opens without importing what only the commands need.
"""

# Before any other import: those may not come from the folder one stands in.
from sae_desktop.launch import leave_out_working_folder

leave_out_working_folder(begun_as_module=__name__ == "__main__")

import difflib  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

from sae_desktop.cli import COMMANDS, EXIT_USAGE  # noqa: E402
from sae_desktop.cli.console import accept_any_character, say  # noqa: E402
from sae_desktop.storage.open_files import allow_many_open_files  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with the given arguments, or those of the process."""
    accept_any_character()
    allow_many_open_files()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["engine"]:
        from sae_desktop.engine.main import main as run_engine

        return run_engine()
    if given and (given[0] in COMMANDS or given[0].startswith("-")):
        from sae_desktop.cli.app import run

        return run(given)
    complaint = _complaint(given)
    if complaint:
        say(complaint)
        return EXIT_USAGE
    from sae_desktop.cli.window import open_window

    return open_window(Path(given[0]) if given else None)


def _complaint(given: list[str]) -> str:
    """Say what is wrong with arguments that should be one project folder, or nothing."""
    if len(given) > 1:
        return f"There is no command “{given[0]}”. See “sae-desktop --help”."
    if given and not Path(given[0]).exists():
        close = difflib.get_close_matches(given[0], COMMANDS, n=1, cutoff=0.75)
        if close:
            return (
                f"There is neither a command nor a project “{given[0]}”. "
                f"Did you mean “sae-desktop {close[0]}”?"
            )
    return ""


if __name__ == "__main__":
    sys.exit(main())
