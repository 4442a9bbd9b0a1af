"""What leaves the notebook: the data of a view, animations, and pages that stand alone."""
