"""What clamping a concept's feature does to captions of pictures of something else."""
