"""What a bundle starts with: the program, or a module of it in a process of its own."""

import multiprocessing
import sys

from sae_desktop.launch import run_asked_module

if __name__ == "__main__":
    multiprocessing.freeze_support()
    if not run_asked_module():
        from sae_desktop.__main__ import main

        sys.exit(main())
