"""Steering: interventions on the model, plain text beside steered."""
