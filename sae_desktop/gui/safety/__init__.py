"""The Safety workspace: concept sets, a scan for them, monitors, a model that changes."""
