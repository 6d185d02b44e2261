"""How months follow one another, and when a window is over."""

from ragauth.counters.interface import SKEW_MS


def previous_month(month: int) -> int:
    """Return the month before a yyyymm month, as yyyymm."""
    return month - 1 if month % 100 > 1 else month - 89


def settle_window(ends_ms: int, count: int, length_ms: int, now_ms: int) -> tuple[int, int]:
    """Return the end and the count of a stored window; an unused one if it is over.

    After the clock was stepped back, the window is shortened and keeps its count: it lasts no
    longer than its length and allows no more than its limit. The caller stores a shortened window.
    """
    left = ends_ms - now_ms
    if left <= 0:
        return now_ms + length_ms, 0
    if left > length_ms + SKEW_MS:
        return now_ms + length_ms, count
    return ends_ms, count
