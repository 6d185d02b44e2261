"""`python -m ragauth`: the command `ragauth`, also in a checkout."""

from ragauth.command import main

if __name__ == "__main__":
    main()
