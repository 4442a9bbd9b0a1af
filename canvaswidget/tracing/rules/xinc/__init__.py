"""The rule `xinc`: contributions as XINC defines them (arXiv 2401.10217)."""
