"""How sure sampled numbers are unless something else is asked for, and when numbers are sampled by default."""

LEVEL = 0.95  # chance that an interval contains the exact number
ACCURACY = 0.05  # typical half-width of the intervals of a layer's totals, as a part of the totals
EXACT_SECONDS = 10.0  # that an exact answer may take where the accuracy is "auto"
MOST_PASSES = 768  # of an estimate there: a layer whose pixels can't share passes would take minutes
