"""The compat faces: each vendor's document, replayed, and the promises that hold on all of them."""
