"""The registry's file: what is written is read again, and anything unsound is refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.policies.errors import InputError
from stockade.userns.ids import IdRange
from stockade.userns.model import Registry
from stockade.userns.registry import read, render

GOOD = Registry(
    {"web": IdRange(720896, 65536), "ci": IdRange(589824, 131072)}, {"old": IdRange(65536, 65536)}
)
TEXT = b"""\
{
  "version": 1,
  "blocks": {
    "ci": "589824:131072",
    "web": "720896:65536"
  },
  "tombstones": {
    "old": "65536:65536"
  }
}
"""


def test_one_tenant_a_line():
    assert render(GOOD) == TEXT
    assert read(TEXT, "x") == GOOD
    assert read(None, "x") == Registry()


def test_another_layout_is_read_too():
    assert read(json.dumps(json.loads(TEXT)).encode(), "x") == GOOD


@given(st.data())
def test_what_is_written_is_read(data):
    names = data.draw(st.lists(st.text("abz09-_.é$", min_size=1, max_size=9), unique=True))
    ranges = [IdRange(65536 * (2 * at + 1), 65536) for at in range(len(names))]
    cut = data.draw(st.integers(0, len(names)))
    pairs = list(zip(names, ranges, strict=True))
    registry = Registry(dict(pairs[:cut]), dict(pairs[cut:]))
    assert read(render(registry), "x") == registry


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 1', '"version": 2', "`version` must be the number 1"),
        ('"version": 1', '"version": true', "`version` must be the number 1"),
        ("720896:65536", "589824:65536", "overlap"),
        ("720896:65536", "655360:65536", "overlap"),
        ("720896:65536", "100000:65536", "whole blocks"),
        ("720896:65536", "720896:100", "whole blocks"),
        ("720896:65536", "0:65536", "the host's own users"),
        ("720896:65536", "4294901760:65536", "the last id"),
        ("720896:65536", "720896:0", "first:count"),
        ("720896:65536", "0720896:65536", "first:count"),
        ("720896:65536", "720896", "first:count"),
        ('"720896:65536"', "720896", "must be a text"),
        ('"web"', '"ci"', "duplicate key"),
        ('"web"', '"old"', "a block and a tombstone"),
        ('"web"', '"we:b"', "no tenant's name"),
        ('"web"', '""', "no tenant's name"),
        ('"web"', '"w\\n"', "no tenant's name"),
        ('"tombstones"', '"graves"', "unknown key"),
        ("}\n}\n", "}\n", "is missing"),
        ('"web"', '"\udc80"', "UTF-8"),
        ("{", "[", "is missing"),
    ],
)
def test_anything_else_is_refused(old, new, message):
    text = TEXT.decode().replace(old, new).encode(errors="surrogateescape")
    assert text != TEXT
    with pytest.raises(InputError, match=message):
        read(text, "userns.json")


@given(st.binary(max_size=200) | st.builds(lambda a, b, c: TEXT[:a] + b + TEXT[a + c :],
       st.integers(0, 200), st.binary(max_size=3), st.integers(0, 9)))  # fmt: skip
def test_hostile_text_is_a_message(data):
    with contextlib.suppress(InputError):
        found = read(data, "userns.json")
        assert read(render(found), "x") == found
