"""The workspace Project: what there is, and what comes next."""
