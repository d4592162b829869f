"""Steering: interventions on the model, with plain and steered text side by side."""
