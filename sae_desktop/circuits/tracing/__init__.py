"""The job that traces a prompt, and what it takes."""
