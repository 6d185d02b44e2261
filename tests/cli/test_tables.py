"""How lists look at a terminal and in a file."""

from ragauth.cli.tables import columns_of, lay_out
from tests.cases import for_each

_ROW = {
    "id": "acc_01h455vb4pex5vsknk084sn02q",
    "email": "a.very.long.address.of.somebody@a-long-domain.example.com",
    "requests": 1234567,
    "name": "阿达·洛芙莱斯与她的朋友们",
    "created_at": "2026-01-15T10:30:00Z",
    "note": "e\u0301" * 30,
}


@for_each("width", [40, 60, 80, 100, 200])
def test_a_table_is_no_wider_than_the_terminal(width: int) -> None:
    lines = lay_out([_ROW, {**_ROW, "email": "a@b.c", "name": "Ada"}], list(_ROW), width=width)
    assert max(map(columns_of, lines[:3])) <= width
    assert all(line.startswith(("id", _ROW["id"])) for line in lines[:3])
    shown = " ".join(lines)
    assert all(name in shown for name in _ROW), "what has no room is named"


def test_long_cells_are_cut_and_wide_letters_count_twice() -> None:
    head, row = lay_out([_ROW], ("id", "name", "email"), width=66)
    assert "…" in row
    name, email = row.split()[1:]
    assert name.startswith("阿达·")
    assert name.endswith("…")
    assert email.startswith("a.very.long.address.")
    assert email.endswith("…")
    # The columns below one head begin where it does, though wide letters are fewer.
    assert columns_of(row[: row.index(email)]) == head.index("email")
    assert columns_of("阿达·e\u0301") == 6


def test_a_file_has_every_cell_whole() -> None:
    head, row = lay_out([_ROW], list(_ROW), width=None)
    assert head.split() == list(_ROW)
    for value in _ROW.values():
        assert (f"{value:,}" if isinstance(value, int) else value) in row


def test_numbers_stand_at_the_right() -> None:
    rows = [{"requests": 7}, {"requests": 1_234}]
    assert lay_out(rows, ("requests",), width=80) == ["requests", "       7", "   1,234"]
