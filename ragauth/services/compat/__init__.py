"""What the compat faces need beyond the services of the contract's routes, a module for each need.

Only `blueprints/compat` calls it. A rule that the contract's routes need as well belongs into the
domain that it is about.
"""
