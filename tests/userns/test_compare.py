"""A file through several readers' eyes."""

from hypothesis import given
from hypothesis import strategies as st

from stockade.userns.accounts import Accounts
from stockade.userns.compare import Kind, compare, maps_of
from stockade.userns.dialects import DIALECTS

ACCOUNTS = Accounts.read(
    b"root:x:0:0::/:\nalice:x:1000:1000::/:\nkubelet:x:998:998::/:\n", b"root:x:0:\n"
)
ALL = list(DIALECTS.values())


def test_strict_lines_are_only_counted():
    found = compare(b"alice:100000:65536\nbob:200000:5\n", ALL, ACCOUNTS)
    assert len(found.table) == 2
    assert found.lines == ()
    assert not found.differs
    assert not found.host_root


def test_where_readers_differ():
    found = compare(b"alice:100000:65536\nbob:0x186a0:65536\n\n", ALL, ACCOUNTS)
    hexadecimal, blank = found.lines
    assert (hexadecimal.number, hexadecimal.text) == (2, b"bob:0x186a0:65536")
    assert hexadecimal.differs
    assert hexadecimal.host_root
    kinds = {name: reaction.kind for name, reaction in hexadecimal.reactions.items()}
    assert kinds == {
        "shadow-4.13": Kind.GRANTS,
        "shadow-4.20": Kind.GRANTS,
        "dockerd-20.10": Kind.SPOILS,
        "dockerd-28": Kind.GRANTS,
        "podman": Kind.GRANTS,
        "kubelet": Kind.GRANTS,
        "incus": Kind.PASSES,
    }
    assert not blank.differs
    assert not found.refused


def test_who_refuses_a_file_is_not_asked_about_its_other_lines():
    found = compare(b"garbage\nalice:0100:5\n", ALL, ACCOUNTS)
    assert {name: fault.line for name, fault in found.refused.items()} == {
        "dockerd-20.10": 1,
        "incus": 1,
    }
    garbage, octal = found.lines
    assert garbage.reactions["incus"].kind is Kind.REFUSES
    assert "incus" not in octal.reactions


def test_a_strict_line_that_the_kubelet_does_not_take():
    found = compare(b"alice:100000:65536\n998:655361:7208960\n", ALL, ACCOUNTS)
    [line] = found.lines
    assert line.number == 2
    assert line.reactions["kubelet"].kind is Kind.SPOILS
    assert line.reactions["shadow-4.13"].kind is Kind.GRANTS


def test_maps_of_one_owner():
    data = b"bob:5:5\n1000:100000:65536\nAlice:7:7\nalice:200000:5"
    maps = maps_of(data, "alice", ALL, ACCOUNTS)
    wanted = {d.name: d.of_owner(d.read(data, ACCOUNTS), "alice", ACCOUNTS) for d in ALL}
    assert maps == wanted
    assert len(maps["dockerd-28"]) == 2
    assert maps["shadow-4.20"] == ()


pieces = st.sampled_from(
    [b"alice:100000:65536", b"998:655360:7208960", b"kubelet:5:5", b"bob:0x5:5", b"x", b"", b"#",
     b"root:1:1", b"alice:5:5:5", b"1000:6:6", b"+a:1:1", b"a\0b:1:1", b"ROOT:9:9"]
)  # fmt: skip


@given(st.lists(pieces, max_size=8), st.sampled_from([b"\n", b""]))
def test_an_excerpt_says_what_the_whole_file_says(lines, end):
    data = b"\n".join(lines) + end
    found = compare(data, ALL, ACCOUNTS)
    shown = {line.number: line for line in found.lines}
    for dialect in ALL:
        whole = dialect.read(data, ACCOUNTS)
        assert (dialect.name in found.refused) == whole.refused
        if whole.refused:
            continue
        for grant in whole.grants:
            if grant.line in shown:
                assert grant.range in shown[grant.line].reactions[dialect.name].ranges or (
                    shown[grant.line].reactions[dialect.name].kind is Kind.SPOILS
                )
            else:
                assert grant.line in found.table.lines
        for owner in ("alice", "root", "kubelet", "1000"):
            of_all = dialect.of_owner(whole, owner, ACCOUNTS)
            assert maps_of(data, owner, [dialect], ACCOUNTS)[dialect.name] == of_all
