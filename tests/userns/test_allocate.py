"""The planner: disjoint, aligned, free of all claims, stable, and honest when it cannot."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from userns_trees import host_files, section

from stockade.policies.errors import InputError
from stockade.userns.allocate import forget, plan, release
from stockade.userns.change import changes
from stockade.userns.claims import claims
from stockade.userns.ids import IdRange
from stockade.userns.model import Extent, LiveMap, Registry
from stockade.userns.outlook import allocation, removal
from stockade.userns.registry import read, render

NAMES = st.sampled_from([f"t{number}" for number in range(12)])
TENANTS = st.dictionaries(NAMES, st.integers(1, 3), max_size=8)
FIRST, LAST = 1 << 20, (1 << 20) + 64 * 65536 - 1
FOREIGN = st.lists(st.tuples(st.integers(FIRST - 70000, LAST), st.integers(1, 200_000)), max_size=6)


def lines(ranges):
    return b"".join(b"u%d:%d:%d\n" % (at, *each) for at, each in enumerate(ranges))


def applied(files, made):
    """The files after a change."""
    names = {
        "etc/subuid": "subuid",
        "etc/subgid": "subgid",
        "var/lib/stockade/userns.json": "registry",
    }
    return replace(files, **{names[each.name]: each.content for each in made})


@given(TENANTS, FOREIGN, FOREIGN, st.sampled_from([65536, 131072]), st.lists(st.integers(0, 63)))
def test_blocks_are_nobody_elses(tenants, uids, gids, size, kept_back):
    reserved = [(FIRST + at * 65536, FIRST + at * 65536) for at in sorted(set(kept_back))[:4]]
    asked = section(tenants, [(FIRST, LAST)], reserved, size)
    files = host_files(subuid=lines(uids), subgid=lines(gids))
    try:
        made = allocation(files, asked)
    except InputError:
        assume(False)
    blocks = made.plan.registry.blocks
    assert {name: each.count for name, each in blocks.items()} == {
        name: count * size for name, count in tenants.items()
    }
    others = [IdRange(*each) for each in (*uids, *gids)]
    others += [IdRange.between(*each) for each in reserved]
    placed = list(blocks.values())
    for at, block in enumerate(placed):
        assert block.first % 65536 == 0
        assert block.first >= FIRST
        assert block.last <= LAST
        assert not any(block.overlaps(each) for each in (*others, *placed[:at]))
    after = applied(files, made.changes)
    assert after.subuid.startswith(files.subuid)
    for data in (after.subuid, after.subgid):
        for name, block in blocks.items():
            assert b"%b:%d:%d\n" % (name.encode(), block.first, block.count) in data
    again = allocation(after, asked)
    assert not again.changes
    assert again.plan.kept == blocks


@given(TENANTS, FOREIGN, st.data())
def test_the_order_does_not_matter(tenants, uids, data):
    files = host_files(subuid=lines(uids))
    shuffled = dict(data.draw(st.permutations(list(tenants.items()))))
    try:
        one = allocation(files, section(tenants, [(FIRST, LAST)]))
    except InputError:
        assume(False)
    other = allocation(files, section(shuffled, [(FIRST, LAST)]))
    assert one.plan.registry == other.plan.registry
    assert one.changes == other.changes


@given(TENANTS, TENANTS, FOREIGN, FOREIGN)
def test_adding_moves_nobody(first, more, before, later):
    files = host_files(subuid=lines(before))
    asked = section(first, [(FIRST, LAST)])
    both = section({**more, **first}, [(FIRST, LAST)])
    try:
        made = allocation(files, asked)
        after = applied(files, made.changes)
        # Others get ids meanwhile, perhaps some of ours.
        after = replace(after, subuid=(after.subuid or b"") + lines(later))
        grown = allocation(after, both)
    except InputError:
        assume(False)
    had = made.plan.registry.blocks
    assert {name: grown.plan.registry.blocks[name] for name in had} == had
    for name in grown.plan.added:
        block = grown.plan.registry.blocks[name]
        assert not any(block.overlaps(IdRange(*each)) for each in (*before, *later))
    # What is disputed is said, and only that.
    disputed = {each.tenant for each in grown.plan.drift if each.disputed}
    assert disputed == {
        name for name, block in had.items() if any(block.overlaps(IdRange(*each)) for each in later)
    }


def test_the_place_is_the_hash():
    found = allocation(host_files(), section(["ci", "web"])).plan.added
    # SHA-256 of `ci` modulo 28,664 places, counted from the first.
    import hashlib

    for name, block in found.items():
        place = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 28664
        assert block == IdRange(524288 + place * 65536, 65536)


def test_the_whole_span_and_not_one_more():
    files = host_files()
    spans = [(524288, 524288 + 200 * 65536 - 1)]
    asked = section([f"t{at}" for at in range(200)], spans)
    made = allocation(files, asked).plan
    assert len(set(made.added.values())) == 200
    with pytest.raises(InputError, match=r"no room for tenant .*200 new tenants"):
        allocation(files, section([f"t{at}" for at in range(201)], spans))
    full = replace(files, registry=render(made.registry))
    with pytest.raises(InputError, match="200 blocks: tenants of the registry"):
        allocation(full, section([f"t{at}" for at in range(201)], spans))


def test_exhaustion_names_who_holds_the_space():
    files = host_files(
        subuid=b"alice:1048576:65536\nbob:1114112:196608\n", passwd=b"x:x:1310721:1::/:/bin/sh\n"
    )
    with pytest.raises(InputError) as raised:
        allocation(files, section(["ci"], [(1048576, 1048576 + 5 * 65536 - 1)]))
    text = str(raised.value)
    assert "262,144 ids: 2 owners in subuid, most of all bob (196,608), alice (65,536)" in text
    assert "1 ids: uid 1310721 (x)" in text


def test_live_maps_keep_new_tenants_away():
    spans = [(1048576, 1048576 + 2 * 65536 - 1)]
    live = LiveMap(7, "runc", (Extent(0, 1048576, 65536),), (Extent(0, 1048576, 65536),))
    made = allocation(host_files(), section(["ci"], spans), [live])
    assert made.plan.added == {"ci": IdRange(1114112, 65536)}
    # Of its own block it is the tenant's.
    files = applied(host_files(), made.changes)
    own = LiveMap(8, "runc", (Extent(0, 1114112, 65536),), ())
    assert not allocation(files, section(["ci"], spans), [own]).plan.drift
    identity = LiveMap(9, "pid1", (Extent(0, 0, 4294967295),), (Extent(0, 0, 4294967295),))
    assert allocation(host_files(), section(["ci"], spans), [identity]).plan.added


def with_registry(blocks, tombstones=None, **files):
    return host_files(registry=render(Registry(blocks, tombstones or {})), **files)


def test_what_has_to_grow_is_refused():
    files = with_registry({"ci": IdRange(1048576, 65536)})
    with pytest.raises(InputError, match=r"ci. has 65536 ids .* cannot grow") as raised:
        allocation(files, section({"ci": 2}))
    assert "tenant of its own" in str(raised.value)


def test_a_block_that_others_have_too_is_not_written_again():
    line = b"ci:1048576:65536\n"
    foreign = b"eve:1050000:10\n"
    files = with_registry({"ci": IdRange(1048576, 65536)}, subuid=line + foreign, subgid=line)
    found = allocation(files, section(["ci"]))
    assert not found.changes
    assert [each.disputed for each in found.plan.drift] == [True]
    assert "eve (subuid line 2)" in found.plan.drift[0].message
    gone = with_registry({"ci": IdRange(1048576, 65536)}, subuid=foreign, subgid=line)
    with pytest.raises(InputError, match="its line is missing, and is not written again"):
        allocation(gone, section(["ci"]))


def test_a_missing_line_is_written_again():
    files = with_registry({"ci": IdRange(1048576, 65536)}, subuid=b"eve:7:1")
    made = allocation(files, section(["ci"])).changes
    after = applied(files, made)
    assert after.subuid == b"eve:7:1\nci:1048576:65536\n"
    assert after.subgid == b"ci:1048576:65536\n"
    assert made[0].ended
    assert not made[1].ended


def test_lines_as_ours_are_adopted():
    line = b"ci:1048576:65536\n"
    found = allocation(host_files(subuid=line, subgid=line), section(["ci"]))
    assert found.plan.adopted == {"ci": IdRange(1048576, 65536)}
    assert [each.name for each in found.changes] == ["var/lib/stockade/userns.json"]


@pytest.mark.parametrize(
    ("subuid", "subgid", "reason"),
    [
        (b"ci:100000:65536\n", b"ci:100000:65536\n", "does not begin at a multiple"),
        (b"ci:1048576:65536\n", b"", "the other file has no such line"),
        (b"ci:1048576:65536\n", b"ci:1114112:65536\n", "not the one line"),
        (b"ci:1048576:131072\n", b"ci:1048576:131072\n", "it has 131072 ids"),
        (b"ci:2147483648:65536\n", b"ci:2147483648:65536\n", "outside of the policy's spans"),
        (b"ci:0x100000:65536\n", b"ci:0x100000:65536\n", "not"),
        (b"ci:1048576:65536\neve:1048580:1\n", b"ci:1048576:65536\n", "eve"),
        (b"1001:1048576:65536\n", b"1001:1048576:65536\n", "not the one line"),
        (b"web:1048576:65536\nci:1048576:65536\n", b"ci:1048576:65536\nweb:1048576:65536\n", "ano"),
    ],
)
def test_other_lines_of_a_tenant_are_in_the_way(subuid, subgid, reason):
    files = host_files(subuid=subuid, subgid=subgid, passwd=b"ci:x:1001:1::/:/bin/sh\n")
    with pytest.raises(InputError, match=reason):
        allocation(files, section(["ci", "web"]))


def test_a_second_line_of_a_tenant_is_refused():
    line = b"ci:1048576:65536\n"
    files = with_registry(
        {"ci": IdRange(1048576, 65536)}, subuid=line + b"ci:100000:65536\n", subgid=line
    )
    with pytest.raises(InputError, match=r"subuid line 2, `ci:100000:65536`, gives tenant"):
        allocation(files, section(["ci"]))


def test_leaving_the_policy_is_not_a_release():
    files = with_registry({"ci": IdRange(1048576, 65536)})
    found = allocation(files, section(["web"]))
    assert "ci" in found.plan.registry.blocks
    assert [each.tenant for each in found.plan.drift] == ["ci"]


def test_another_span_is_said_and_disputes_nothing():
    line = b"ci:1048576:65536\n"
    files = with_registry({"ci": IdRange(1048576, 65536)}, subuid=line, subgid=line)
    found = allocation(files, section(["ci"], [(2147483648, 3000000000)]))
    assert not found.changes
    assert [(each.message, each.disputed) for each in found.plan.drift] == [
        ("has 1048576-1114111, which is outside of the policy's spans", False)
    ]


def test_release_and_return():
    files = host_files(subuid=b"eve:1:1\n", subgid=b"")
    made = allocation(files, section(["ci", "web"]))
    block = made.plan.registry.blocks["ci"]
    files = applied(files, made.changes)
    gone = removal(files, ["ci"], [])
    files = applied(files, gone.changes)
    assert b"ci" not in files.subuid
    assert files.subuid.startswith(b"eve:1:1\nweb:")
    assert gone.registry.tombstones == {"ci": block}
    # Nobody else gets it, and the tenant gets it again.
    spans = [(block.first, block.last)]
    with pytest.raises(InputError, match="1 blocks: released tenants"):
        allocation(files, section(["new"], spans))
    assert allocation(files, section(["ci", "web"])).plan.revived == {"ci": block}
    with pytest.raises(InputError, match="released with 65536 ids"):
        allocation(files, section({"ci": 2}))
    # A login of that name that useradd gave ids to is somebody else.
    other = replace(files, subuid=files.subuid + b"ci:%d:10\n" % block.first)
    assert not removal(other, [], ["ci"]).registry.tombstones
    # Forgotten, it is free.
    files = applied(files, removal(files, [], ["ci"]).changes)
    assert allocation(files, section(["new"], spans)).plan.added == {"new": block}


def test_releasing_what_is_not_there():
    registry = Registry({"ci": IdRange(1048576, 65536)}, {"old": IdRange(1114112, 65536)})
    with pytest.raises(InputError, match="no tenant `cy`") as raised:
        release(registry, ["cy"])
    assert "there are `ci`" in str(raised.value)
    with pytest.raises(InputError, match="has been released already"):
        release(registry, ["old"])
    with pytest.raises(InputError, match="still has its block"):
        forget(registry, ["ci"])


def test_lines_of_the_released_go_even_when_left_behind():
    """A commit renames the registry first: what may be left is a line too many, and it is seen."""
    line = b"ci:1048576:65536\n"
    registry = Registry({}, {"ci": IdRange(1048576, 65536)})
    files = host_files(subuid=line, subgid=b"a:1:1\n" + line, registry=render(registry))
    made = changes(files, registry, registry, claims(files, registry=registry))
    assert [each.removed for each in made] == [
        ((1, "ci:1048576:65536"),),
        ((2, "ci:1048576:65536"),),
    ]
    assert made[1].content == b"a:1:1\n"


def test_a_plan_needs_no_files():
    asked = section(["ci"])
    made = plan(asked, Registry(), claims(host_files(), (), asked))
    assert read(render(made.registry), "x") == made.registry
