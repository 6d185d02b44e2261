"""The sample dashboard in a real browser."""
