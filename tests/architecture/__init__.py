"""The house rules, as programs: each can be seen to fail on a planted violation."""
