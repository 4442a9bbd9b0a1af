"""A canvas in a Zarr store: written, and read back."""
