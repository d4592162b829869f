"""Import and export: dictionaries, feature data, reports, packages."""
