"""Real servers for the tests: Postgres, Redis and gunicorn, each ended with the test run."""
