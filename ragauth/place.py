"""Where this package lies: in a checkout of the project, or where an installer put it."""

from pathlib import Path

_PROJECT = Path(__file__).parents[1]
_INSTALLED = ("site-packages", "dist-packages")


def find_checkout() -> Path | None:
    """The project's folder, with wsgi.py in it; None if the package was installed."""
    is_checkout = _PROJECT.name not in _INSTALLED and (_PROJECT / "wsgi.py").is_file()
    return _PROJECT if is_checkout else None


# What an operator types before the name of a command: the program `ragauth` comes with the package.
PROGRAM = "ragauth" if find_checkout() is None else "flask --app wsgi"
