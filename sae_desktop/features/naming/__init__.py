"""Names of features by statistics: what is over-represented where they fire. Free of torch."""
