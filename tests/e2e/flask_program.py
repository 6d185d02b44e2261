"""Flask's own program, which is called by its name and not as `python -m flask`."""

from flask.cli import cli

if __name__ == "__main__":
    cli.main(prog_name="flask")
