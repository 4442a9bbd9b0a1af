"""How sure sampled numbers are unless something else is asked for."""

LEVEL = 0.95  # chance that an interval contains the exact number
ACCURACY = 0.05  # typical half-width of the intervals of a layer's totals, as a part of the totals
