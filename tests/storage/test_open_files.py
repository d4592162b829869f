import sys

import pytest

from sae_desktop.storage.open_files import ENOUGH, allow_many_open_files

resource = pytest.importorskip("resource")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of descriptors are POSIX")
def test_limit__is_raised_as_far_as_the_system_lets_it_and_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if before[1] == resource.RLIM_INFINITY else min(ENOUGH, before[1])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        allow_many_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, before[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
        allow_many_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
