"""Flows: the columnar table, joined tick by tick into immutable snapshots."""
