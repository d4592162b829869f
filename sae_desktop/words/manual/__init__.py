"""The manual: its pages, what they link to, and the search in them. Free of Qt and torch."""
