"""Training: from labelled deals to a model bundle."""
