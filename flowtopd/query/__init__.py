"""Queries: from a snapshot and what a viewer asks for to the rows it gets."""
