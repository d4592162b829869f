"""The process in which plug-ins are checked: `checking.py` starts it."""

from __future__ import annotations

import sys

from sae_desktop.plugins.checking import check_here

check_here(sys.argv[1:])
