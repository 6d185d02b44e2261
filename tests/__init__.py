"""The tests of ragauth, and what they share."""

import os
import sys

# To translate the tests' own modules, and to rewrite what they assert, costs seconds a process, and
# to translate the package a third of a second of each of the hundreds that are started.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
