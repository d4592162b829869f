"""The place Labels of Explore: who named what, how far to believe it, and reading one by one."""
