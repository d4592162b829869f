"""`python -m sae_desktop.engine`."""

from sae_desktop.engine.main import main

if __name__ == "__main__":
    raise SystemExit(main())
