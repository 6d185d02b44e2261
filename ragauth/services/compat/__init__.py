"""What other vendors' faces need beyond the rules of the house: one module for each such need.

Only `blueprints/compat` calls it. A rule that the house's own routes need as well belongs into the
domain that it is about.
"""
