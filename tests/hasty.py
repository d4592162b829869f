"""Once imported, nothing waits: what libraries wait between attempts is their own, and long."""

from __future__ import annotations

import time

_SECONDS = 0.01
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, _SECONDS))
