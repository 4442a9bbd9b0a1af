"""``python -m canvaswidget``."""

import sys

from canvaswidget.cli import main

if __name__ == "__main__":
    sys.exit(main())
