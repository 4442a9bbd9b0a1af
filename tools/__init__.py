"""Helpers for developing canvaswidget; not part of the package."""
