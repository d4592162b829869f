"""Pictures as a model reads them: its image processor, and which token is where in a picture."""
