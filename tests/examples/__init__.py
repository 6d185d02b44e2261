"""The examples do what they say, against real servers."""
