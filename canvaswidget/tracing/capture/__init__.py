"""A module, recorded once as a graph of operations, and replayed."""
