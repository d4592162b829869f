"""Pictures: read within limits, and where in one of them a token is. Free of torch."""
