"""Datasets: where they come from, how they are split and scaled, and what is known of them."""

from .dataset import Card, Dataset, Part, Split, load, load_card, save

__all__ = ["Card", "Dataset", "Part", "Split", "load", "load_card", "save"]
