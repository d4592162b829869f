"""How many files this process may have open at once."""

from __future__ import annotations

ENOUGH = 8192


def allow_many_open_files() -> None:
    """Raise this process's own limit towards `ENOUGH`, as far as the system lets it.

    Some systems begin with 256; a set of dictionaries with its indexes alone takes a hundred.
    Windows has no such limit. Processes begun later inherit it.
    """
    try:
        import resource
    except ModuleNotFoundError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return
