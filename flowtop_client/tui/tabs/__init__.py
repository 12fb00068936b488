"""The tabs of the viewer, one module each."""
