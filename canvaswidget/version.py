"""The version, and where its documents are read: here and nowhere else."""

__version__ = "0.1.0"
DOCUMENTATION = "https://canvaswidget.readthedocs.io/en/latest/"  # also in pyproject.toml and mkdocs.yml
