"""What a key opens."""
