"""Models that answer: servers, models of this process, their keys. Free of Qt."""
