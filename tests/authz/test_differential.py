"""Every engine decides alike: the embedded machine, the embedded interpreter, an OPA server.

Over the corpora of requests, over requests for each constraint, over random policies, and over
documents that no request makes: there the machine must never allow what another does not,
whatever is missing or of another type. Where documents are sound, the oracle (authz_oracle.py),
which knows only the language, must say the same.
"""

import copy
from pathlib import Path

import pytest
from authz_cases import CASES, asked_by, joined, policy, spec, unit
from authz_corpus import SRV, TESTS, documents
from authz_engines import Engines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opa_server import OpaServer, find_opa

from stockade.authz import patterns
from stockade.authz.denied import Denied
from stockade.authz.engines.regorus import Embedded
from stockade.policies.authz_rules import CONSTRAINTS

ANY = """\
stockade: 1
name: any
authz:
  subjects: {everybody: local, people: {cn: [alice, bob, carol]}}
  rules:
    - deny: ["*"]
      subjects: [people]
      because: only the socket
    - allow: ["*"]
      subjects: [everybody]
      owner: subject
      images: any
      privileged: true
"""
TEXTS = {
    "e2e": (TESTS / "e2e" / "authz" / "policy.yaml").read_text().replace("@SRV@", SRV),
    "team": (TESTS.parent / "policies" / "library" / "team.yaml").read_text(),
    "any": ANY,
    "cases": policy([*(case.rule for case in CASES), {}]),
}
BARE = len(CASES)
"""The unit whose rule has no constraint."""
EXAMPLES = settings().max_examples
FEW = settings(
    deadline=None, max_examples=max(10, EXAMPLES // 10), suppress_health_check=list(HealthCheck)
)
"""Of examples that are many requests each."""
STRIDE = max(1, 300 // EXAMPLES)
"""Of long lists of requests, one in so many is tried."""


@pytest.fixture(scope="module")
def opa(tmp_path_factory, require):
    """The server, which has one policy at a time."""
    require(find_opa(), "needs opa (.ci/opa)")
    server = OpaServer(Path(tmp_path_factory.mktemp("opa")))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def engines(opa):
    """Each policy in each engine."""
    return {name: Engines(text, opa) for name, text in TEXTS.items()}


@pytest.fixture(scope="module")
def corpus():
    found = documents()
    assert len(found) > 1500
    return found


@pytest.mark.parametrize("name", ["e2e", "team", "any"])
def test_the_whole_corpus(name, engines, corpus):
    # What only the e2e policy was made for is asked of the others less often.
    chosen = corpus[:: 1 if name == "e2e" else 3]
    found = engines[name].push().agree(chosen)
    assert sum(each.allow for each in found) > 20


def test_the_server_is_asked_in_the_same_way(engines, corpus):
    """One by one, as the service does it."""
    these = engines["e2e"].push()
    some = corpus[:: len(corpus) // 50]
    assert [these.opa.decide(each) for each in some] == these.server(some)


# --- constraint by constraint -------------------------------------------------------------


def test_every_constraint_is_in_the_table():
    assert {case.key for case in CASES} == set(CONSTRAINTS)
    assert all(case.allowed and case.denied for case in CASES)


def test_requests_for_each_constraint(engines):
    """The table is right, and each constraint makes the difference that is its own."""
    these = engines["cases"].push()
    different = set()
    for number, case in enumerate(CASES):
        asked = [*case.allowed, *case.denied]
        found = these.agree([asked_by(each, number) for each in asked])
        expected = [True] * len(case.allowed) + [False] * len(case.denied)
        assert [each.allow for each in found] == expected, case
        plain = these.agree([asked_by(each, BARE) for each in asked])
        for one, other in zip(found, plain, strict=True):
            reasons = one.reasons or other.reasons
            if one.allow != other.allow and any(f": {case.key}:" in each for each in reasons):
                different.add(case.key)
    assert set(CONSTRAINTS) - different == set()


def test_requests_for_one_constraint_under_the_others(engines):
    asked = [each for case in CASES for each in (*case.allowed, *case.denied)]
    crossed = [asked_by(each, number) for each in asked for number in range(BARE)]
    found = engines["cases"].push().agree(crossed[:: 9 * STRIDE])
    assert 100 < sum(each.allow for each in found) < len(found) - 100


CREATES = [
    document
    for case in CASES
    for document in (*case.allowed, *case.denied)
    if document["operation"] == "container.create" and document["spec"]["image"] is not None
]
RULES = [case.rule for case in CASES]


@st.composite
def merged_rules(draw):
    """The constraints of several cases in one rule."""
    rule = {}
    for each in draw(st.lists(st.sampled_from(RULES), max_size=25)):
        rule |= each
    return rule


@FEW
@given(st.data())
def test_random_policies_and_creates(opa, data):
    rules = data.draw(st.lists(merged_rules(), min_size=4, max_size=8))
    these = Engines(policy(rules), opa).push()
    pairs = st.tuples(st.sampled_from(CREATES), st.sampled_from(CREATES))
    made = [joined(*pair) for pair in data.draw(st.lists(pairs, min_size=4, max_size=8))]
    these.agree([asked_by(each, number) for each in made for number in range(len(rules))])


# --- patterns -----------------------------------------------------------------------------

PIECES = ["a", "b", "*", "*", "**", "/", "/", ".", "-", "+", "(", ")", "|", "^", "$", "\u00e9", "K",
          "\u017f", " ", ":", "a.b", "/**/", "/*/"]  # fmt: skip
FREE = [*PIECES, "?", "[", "]", "{", "}", "\\"]
FILLS = ["", "a", "b", "/", "a/b", "\n", "a\n", ".", "..", "//", "\u00e9", "\\", "s", "*"]


def sound(make, text):
    try:
        make(text)
    except patterns.PatternError:
        return False
    return text == text.strip() and text not in ("", "any", "own")


def texts_of(pieces):
    return st.lists(st.sampled_from(pieces), min_size=1, max_size=6).map("".join)


NAMES = texts_of(PIECES).filter(lambda text: sound(patterns.name, text))
VALUES = texts_of(FREE).filter(lambda text: sound(patterns.value, text))
PATHS = (
    st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "*.c", "\u00e9", "a.b"]), min_size=1)
    .map(lambda parts: "/" + "/".join(parts[:4]))
    .filter(lambda text: sound(patterns.path, text))
)


@st.composite
def near(draw, pattern):
    """A text that a pattern could mean, or almost."""
    filled = ""
    for char in pattern.replace("**", "\0"):
        filled += draw(st.sampled_from(FILLS)) if char in "*\0" else char
    change = draw(st.sampled_from(["", "", "head", "tail", "cut"]))
    fill = draw(st.sampled_from(FILLS))
    if change == "cut":
        return filled[1:]
    return {"head": fill + filled, "tail": filled + fill, "": filled}[change]


def mounting(kind, source, target="/data"):
    """A create with one mount."""
    found = copy.deepcopy(PLAIN)
    mount = copy.deepcopy(MOUNT)
    resolved = source if kind == "bind" else None
    found["spec"]["mounts"] = [
        mount | {"type": kind, "source": source, "resolved": resolved, "target": target}
    ]
    return found


PLAIN = next(each for each in CREATES if each["spec"] == spec())
MOUNT = next(each for each in CREATES if each["spec"]["mounts"])["spec"]["mounts"][0]


@FEW
@given(st.data())
def test_random_patterns(opa, data):
    """A simplified expression, and any other, means what the language says of its pattern."""
    rules, asked = [], []
    for number in range(8):
        name, value, path = (data.draw(kind) for kind in (NAMES, VALUES, PATHS))
        constraints = {"volumes": name, "selinux": value, "binds": {"source": path, "target": path}}
        rules.append(constraints)
        for _ in range(4):
            label = copy.deepcopy(PLAIN)
            label["spec"]["selinux"] = [data.draw(near(value))]
            source, target = data.draw(near(path)), data.draw(near(path))
            bind = mounting("bind", source, target)
            volume = mounting("volume", data.draw(near(name)))
            asked += [asked_by(each, number) for each in (label, bind, volume)]
    Engines(policy(rules), opa).push().agree(asked)


# --- documents that no request makes ------------------------------------------------------

WRONG = [
    None, True, False, 0, -1, 1.5, "", "x", "host", "default", "/", "/etc", "..", f"{SRV}/ok",
    f"{SRV}/../x", f"{SRV}/ok/", f"{SRV}/a\nb", "ci-x", "own", "*", "\u017f", [], {}, [None], [[]],
    ["/"], {"x": None}, {"": ""}, {"any": True}, 10**30,
]  # fmt: skip


@st.composite
def damages(draw):
    """Where to go in a document at each turn, what to do there, and with which value."""
    steps = st.lists(st.integers(0, 40), min_size=1, max_size=6)
    return [
        (draw(steps), draw(st.sampled_from(["set", "drop", "add"])), draw(st.sampled_from(WRONG)))
        for _ in range(draw(st.integers(1, 3)))
    ]


def damaged(document, changes):
    """A copy with some values exchanged, dropped or added."""
    made = copy.deepcopy(document)
    for steps, action, value in changes:
        place, key = None, None
        here = made
        for step in steps:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            place, key = here, keys[step % len(keys)]
            here = place[key]
            if not isinstance(here, dict | list):
                break
        if place is None:
            continue
        if action == "set":
            place[key] = copy.deepcopy(value)
        elif action == "drop":
            del place[key]
        elif isinstance(here, list):
            here.append(copy.deepcopy(value))
        elif isinstance(here, dict):
            here["extra"] = copy.deepcopy(value)
    return made


@pytest.mark.parametrize("name", ["e2e", "team", "any"])
def test_documents_that_no_request_makes(name, engines, corpus):
    these = engines[name].push()
    chosen = [document for document in corpus if these.both(document).allow]
    pairs = st.tuples(st.integers(0, len(chosen) - 1), damages())

    @FEW
    @given(st.lists(pairs, min_size=5, max_size=10))
    def check(made):
        these.never_laxer([damaged(chosen[number], changes) for number, changes in made])

    check()


def telling(value, plain, path=()):
    """The paths of the values in which a document is not a plain create, and those below them."""
    if value == plain:
        return
    if path:
        yield path
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        other = plain.get(key) if isinstance(plain, dict) else None
        yield from telling(value[key], other, (*path, key))


def changed(document, path, value):
    """A copy with another value at a path; KeyError: without the key."""
    made = copy.deepcopy(document)
    place = made
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


def test_every_telling_value_damaged(engines):
    """What each constraint looks at is null, missing, or of another type."""
    these = engines["cases"].push()
    others = [KeyError, None, False, 0, "", "x", [], {}, [[]], ["x"], {"x": "x"}]
    made = [
        asked_by(changed(document, path, value), number)
        for number, case in enumerate(CASES)
        for document in (case.allowed[0], case.allowed[-1], case.denied[0], case.denied[-1])
        for path in telling(document, PLAIN)
        for value in others
    ][:: 16 * STRIDE]
    assert len(made) > 500
    allowed = sum(these.never_laxer(made[start : start + 20]) for start in range(0, len(made), 20))
    assert 30 < allowed < len(made)


# --- that a difference would be seen ------------------------------------------------------


def test_a_difference_would_be_seen(engines, corpus):
    """One rule changed in one engine is noticed."""
    these = engines["e2e"].push()
    changed = copy.deepcopy(these.policy)
    changed["rules"][3]["images"]["any"] = True
    lax = Embedded(changed)
    differ = [each for each in corpus if lax.decide(each).allow != these.both(each).allow]
    assert differ
    assert all(lax.decide(each).allow and not these.oracle(each)[0] for each in differ)
    assert not any(said.allow for said in these.server(differ))
    these.embedded, kept = lax, these.embedded
    try:
        with pytest.raises(AssertionError):
            these.agree(differ[:1])
        with pytest.raises((AssertionError, Denied)):
            these.never_laxer(differ[:1])
    finally:
        these.embedded = kept


def test_a_unit_has_one_rule(engines):
    found = engines["cases"].push().server([asked_by(PLAIN, BARE)])
    assert (found[0].subjects, found[0].rule) == ((unit(BARE),), f"authz.rules[{BARE}]")
