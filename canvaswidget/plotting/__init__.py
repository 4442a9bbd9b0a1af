"""How a figure looks: the style of axes, colour maps, the panels of a view and figures made of them.

It draws arrays and knows no canvas, so that a finding can plot itself.
"""
