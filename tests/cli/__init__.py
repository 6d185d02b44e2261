"""The operators' commands, on both databases."""
