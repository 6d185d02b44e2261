"""What the service costs, measured: `make bench` runs it all, bench/results.md has the answer."""
