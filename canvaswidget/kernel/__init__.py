"""The kernel's half of the widget: what the page asks, and how it is answered. It knows no trait."""
