"""Forms that several workspaces open: of jobs, and of what comes in and goes out."""
