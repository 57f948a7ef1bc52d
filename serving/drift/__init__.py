"""Drift: whether the deals that come in, and what the model reads in them, are still those of the months before."""
