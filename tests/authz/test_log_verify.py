"""Verification of the decision log: what a chain of hashes finds, and what it cannot."""

import gzip
import json

import pytest

from stockade.authz.chain import extend, parse
from stockade.authz.log import DecisionLog
from stockade.authz.log_verify import files_of, verify


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / "authz.log"


def decision(number, size=0):
    return {"decision_id": f"id-{number}", "text": "x" * size}


def written(path, count):
    """A closed log of that many records; its first line is the one that begins the file."""
    log = DecisionLog(path)
    for number in range(count):
        log.append(decision(number))
    log.close()
    return log


def codes(path, expect=None):
    return [flaw.code for flaw in verify(files_of(path), expect).flaws]


class TestVerification:
    @pytest.fixture
    def lines(self, path):
        written(path, 6)
        return path.read_bytes().splitlines(keepends=True)

    def check(self, path, lines, expect=None):
        path.write_bytes(b"".join(lines))
        return [(each.code, each.line) for each in verify([path], expect).flaws]

    def test_sound(self, path, lines):
        assert self.check(path, lines) == []
        report = verify([path])
        assert (report.first, report.last.seq, report.lines) == (0, 6, 7)

    def test_a_changed_line(self, path, lines):
        lines[3] = lines[3].replace(b"id-2", b"id-9")
        assert self.check(path, lines) == [("changed", 4)]

    def test_every_byte_counts(self, path, lines):
        for at in range(len(lines[3]) - 1):
            changed = bytearray(lines[3])
            changed[at] ^= 1
            assert self.check(path, [*lines[:3], bytes(changed), *lines[4:]]), at

    def test_a_changed_line_with_a_new_hash(self, path, lines):
        before = parse(lines[2][:-1]).link
        lines[3], _ = extend(b'{"decision_id":"forged"}', before)
        assert self.check(path, lines) == [("relinked", 5)]

    def test_a_removed_line(self, path, lines):
        assert self.check(path, lines[:3] + lines[4:]) == [("removed", 4)]
        assert self.check(path, lines[:2] + lines[5:]) == [("removed", 3)]

    def test_the_beginning_removed_is_said_not_found(self, path, lines):
        assert self.check(path, lines[2:]) == []
        assert verify([path]).first == 2

    def test_a_moved_line(self, path, lines):
        swapped = [*lines[:3], lines[4], lines[3], *lines[5:]]
        assert self.check(path, swapped) == [("moved", 5)]
        later = [*lines[:2], *lines[4:6], *lines[2:4], *lines[6:]]
        assert self.check(path, later) == [("moved", 5), ("moved", 6)]

    def test_a_repeated_line(self, path, lines):
        assert self.check(path, [*lines[:4], lines[3], *lines[4:]]) == [("repeated", 5)]

    def test_an_added_line(self, path, lines):
        assert self.check(path, [*lines[:4], b'{"decision_id":"x"}\n', *lines[4:]]) == [
            ("foreign", 5)
        ]
        forged, _ = extend(b'{"decision_id":"x"}', parse(lines[3][:-1]).link)
        assert self.check(path, [*lines[:4], forged, *lines[4:]]) == [("repeated", 6)]

    def test_written_anew_in_other_words(self, path, lines):
        lines[3] = json.dumps(json.loads(lines[3])).encode() + b"\n"
        assert ("foreign", 4) in self.check(path, lines)

    def test_an_end_cut_off_needs_an_anchor(self, path, lines):
        last = parse(lines[-1][:-1]).link.hash
        assert self.check(path, lines[:-2]) == []
        assert self.check(path, lines[:-2], last) == [("tail-cut", 0)]
        assert self.check(path, lines, last) == []

    def test_a_log_that_grew_after_the_anchor(self, path, lines):
        anchor = parse(lines[4][:-1]).link.hash
        assert self.check(path, lines, anchor) == []
        assert verify([path], anchor).after_anchor == 2

    def test_written_anew_from_some_line_on_needs_an_anchor(self, path, lines):
        last = parse(lines[-1][:-1]).link.hash
        link, forged = parse(lines[2][:-1]).link, lines[:3]
        for number in range(4):
            line, link = extend(b'{"decision_id":"%d"}' % number, link)
            forged.append(line)
        assert self.check(path, forged) == []
        assert self.check(path, forged, last) == [("tail-cut", 0)]

    def test_a_new_chain_is_found(self, path, lines):
        other = path.with_name("other.log")
        written(other, 2)
        assert self.check(path, lines + other.read_bytes().splitlines(keepends=True)) == [
            ("restarted", 8)
        ]

    def test_an_older_file_missing(self, path):
        log = DecisionLog(path, max_size=5000, keep=9)
        for number in range(60):
            log.append(decision(number, 100))
        path.with_name("authz.log.2").unlink()
        assert codes(path) == ["removed"]

    def test_nothing_and_rubbish(self, path):
        path.parent.mkdir()
        assert self.check(path, [b""]) == [("empty", 0)]
        assert self.check(path, [b"\0" * 200_000])[-1] == ("empty", 0)
        damaged = path.with_name("authz.log.1.gz")
        damaged.write_bytes(gzip.compress(b"x" * 1000)[:-12])
        assert "unreadable" in [each.code for each in verify([damaged]).flaws]
