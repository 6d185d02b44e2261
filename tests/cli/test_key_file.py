"""Which files of keys are understood, and the one sentence on those that are not."""

import hashlib
import json

import pytest

from ragauth.cli.key_file import UnreadableFile, read_entries
from tests.cases import for_each

_DIGEST = hashlib.sha256(b"sk-live-0123456789abcdef").hexdigest()
_KEY = {"digest": _DIGEST, "owner": "ada@example.com", "name": "Old"}
_LINE = f"{_DIGEST},ada@example.com,Old\n"
_CSV = f"digest,owner,name\n{_LINE}"


@for_each(
    "data",
    [
        _CSV.encode(),
        _CSV.encode("utf-8-sig"),
        _CSV.encode("utf-16"),
        b"\xfe\xff" + _CSV.encode("utf-16-be"),
        _CSV.replace("\n", "\r\n").encode(),
        _CSV.replace("\n", "\r").encode(),
        b"\n\n" + _CSV.replace(",", ";").encode(),
        _CSV.replace(",", "\t").encode(),
        _CSV.replace(",", ", ").encode(),
        f"DIGEST,Owner , Name\n{_LINE}".encode(),
        f'"Key Digest","owner-email",key_name\n{_LINE}'.encode(),
        f"digest,owner,name,prefix,expires_at,\n{_LINE[:-1]},,,\n".encode(),
        json.dumps(_KEY).encode(),
        json.dumps(_KEY, indent=2).encode(),
        json.dumps([_KEY], indent=2).encode("utf-8-sig"),
        json.dumps({"version": 1, "keys": [{**_KEY, "prefix": None}]}).encode(),
        json.dumps({"Digest": _DIGEST, "OWNER": _KEY["owner"], "Name": "Old"}).encode("utf-16"),
    ],
)
@for_each("name", ["keys.csv", "keys.JSONL", "keys.json", "-"])
def test_the_content_tells_the_format(data: bytes, name: str) -> None:
    (entry,) = read_entries(data, name)
    assert entry.values == _KEY


def test_lines_and_entries_are_counted_as_an_editor_does() -> None:
    quoted = f'digest,owner,name\n\n{_DIGEST},a@b.c,"two\nlines"\n{_LINE}'
    assert [entry.place for entry in read_entries(quoted.encode(), "x")] == ["line 3", "line 5"]
    lines = f"\n{json.dumps(_KEY)}\n\n{json.dumps(_KEY)}\n".encode()
    assert [entry.place for entry in read_entries(lines, "x")] == ["line 2", "line 4"]
    array = json.dumps([_KEY, _KEY]).encode()
    assert [entry.place for entry in read_entries(array, "x")] == ["entry 1", "entry 2"]


@for_each(
    ("data", "sentence"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n \n", "the file is empty"),
        (b"[]", "there are no keys in the file"),
        (b'{"keys": []}', "there are no keys in the file"),
        (b"digest,owner,name\n", "there are no keys in the file"),
        (_LINE.encode() * 3, "the file has no header; the first line must name the columns"),
        (b"hello\nworld\n", "the file has no header"),
        (b"digest,owner\nx,y\n", "the header lacks name"),
        (b"digest,owner,name,notes\nx,y,z,n\n", "no column: 'notes'"),
        (b"digest,owner,email,name\nx,y,z,n\n", "two columns of the header mean the same"),
        (b"Api Key,owner,name\nsk-1,y,z\n", "the column 'Api Key' seems to hold keys"),
        (b"digest,owner,name\nx,y,z,w\n", "line 2 has 4 cells, and the header 3 columns"),
        (b'digest,owner,name\nx,y,"z\n', "line 2 is no CSV"),
        (b"digest,owner,name\nx,\xff,z\n", "line 2 is not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00", "the file is no text"),
        (b"PK\x03\x04\x14\x00\x00\x00\xff\xfe", "the file is no text"),
        (_CSV.encode("utf-16-le"), "the file is no text"),
        (b"{", "the file is no JSON"),
        (b"[{},", "the file is no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1}', "without a list of keys in it"),
        (b'{"digest": "x"}\n{"digest"\n', "line 2 is no JSON"),
    ],
)
def test_what_is_not_understood_is_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableFile) as raised:
        read_entries(data, "keys.csv")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_ending_has_a_say_where_the_content_has_none() -> None:
    with pytest.raises(UnreadableFile, match="no JSON: it begins with neither"):
        read_entries(b"hello", "keys.NDJSON")
