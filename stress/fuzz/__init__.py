"""Parsers of what comes from outside, fed with what no honest peer would send."""
