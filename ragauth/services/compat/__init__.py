"""What other vendors' faces need beyond the rules of the house: one module for each such need."""
