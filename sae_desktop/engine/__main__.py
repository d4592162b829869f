"""`python -m sae_desktop.engine`."""

from sae_desktop.launch import leave_out_working_folder

leave_out_working_folder(begun_as_module=__name__ == "__main__")

from sae_desktop.engine.main import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
