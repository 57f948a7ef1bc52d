"""The model in service: where it comes from, how it is followed, shadowed and rolled back."""
