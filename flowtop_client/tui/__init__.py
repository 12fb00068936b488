"""The full-screen viewer."""
