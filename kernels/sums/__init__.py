"""Sums of partial sums, in an order that depends on their number alone."""
