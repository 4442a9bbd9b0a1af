"""Fit an INR to an image or a clip."""
