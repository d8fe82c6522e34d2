"""Signals and gradients at initialisation, measured on a study's data, beside what the theory predicts."""
