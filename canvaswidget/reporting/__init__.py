"""Every finding of one canvas on one page."""
