"""Services that others would build; they run in an environment of their own, by `bench.peers`."""
