"""What the hub, the network or the disk ends a download with, explained."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.storage.faults import explain_os_error
from sae_desktop.storage.network import way_online, why_offline

_PRIVATE = {401, 403}
_TOO_MANY = 429
_SERVER_FAULT = 500
_TRANSPORTS = {"httpx", "httpx2", "requests", "urllib3", "huggingface_hub", "hf_xet"}


@contextlib.contextmanager
def explained_hub(name: str, *, asked: bool = True) -> Iterator[None]:
    """Raise UserError in place of what the hub, the network or the disk ends a download with.

    `asked`: whether the hub was.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except (UserError, JobCancelledError):
        raise
    except GatedRepoError as error:
        raise UserError(
            f"“{name}” is available only to people who have accepted its terms.",
            next_step="Accept them on its page, sign in with “hf auth login”, and try again.",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"There is no model “{name}” on the hub, and no such folder.",
            next_step="Check the spelling; for a private model, run “hf auth login” first.",
        ) from error
    except LocalEntryNotFoundError as error:
        raise (_not_here(name, error) if asked else _not_got(name)) from error
    except HfHubHTTPError as error:
        raise _answered(name, error) from error
    except OSError as error:
        connection = isinstance(error, ConnectionError | TimeoutError)
        if error.errno is not None and not connection:
            cache = Path(constants.HF_HUB_CACHE)
            raise explain_os_error(
                error, cache, kept="What was downloaded so far is kept."
            ) from error
        raise _broken_off(name, error) from error
    except Exception as error:
        # Each HTTP library has its own errors of connection; the hub's own transfer has none.
        library = type(error).__module__.partition(".")[0]
        if isinstance(error, RuntimeError) or library in _TRANSPORTS:
            raise _broken_off(name, error) from error
        raise


def _not_got(name: str) -> UserError:
    return UserError(
        f"“{name}” is not on this machine.",
        next_step="Get it under Harvest › Model, or with: sae-desktop models get "
        f"{shlex.quote(name)}.",
    )


def _not_here(name: str, error: Exception) -> UserError:
    cause = error.__cause__
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if isinstance(status, int):
        return _answered(name, cause)
    reason = why_offline() or "the hub cannot be reached"
    partly = type(error).__name__ == "IncompleteSnapshotError"
    return UserError(
        f"Only a part of “{name}” is on this machine, and {reason}."
        if partly
        else f"“{name}” is not on this machine, and {reason}.",
        kept="That part is kept; only the rest still has to be downloaded." if partly else "",
        next_step=f"{way_online()}, or use “builtin” or a model folder.",
    )


def _answered(name: str, error: Any) -> UserError:
    status = int(error.response.status_code)
    if status in _PRIVATE:
        return UserError(
            f"The hub refused you access to “{name}” (it answered {status}).",
            next_step="Sign in with “hf auth login” as someone with access to it.",
        )
    busy = status == _TOO_MANY or status >= _SERVER_FAULT
    return UserError(
        f"The hub {'is unavailable' if busy else 'refused'}: it answered {status} when asked for "
        f"“{name}”.",
        kept="What was downloaded so far is kept.",
        next_step="Try again in a few minutes." if busy else "Check the name and try again.",
    )


def _broken_off(name: str, error: Exception) -> UserError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return UserError(
        f"The download of “{name}” was interrupted ({reason}).",
        kept="What was downloaded so far is kept.",
        next_step="Try again: it resumes where it stopped.",
    )
