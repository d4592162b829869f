"""What comes from elsewhere and goes to others: dictionaries, feature data, reports, packages."""
