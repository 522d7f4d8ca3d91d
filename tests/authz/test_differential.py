"""Every engine decides alike: the embedded machine, the embedded interpreter, an OPA server.

Over the corpora of requests, and over documents that no request makes: there the machine must
never allow what another does not, whatever is missing or of another type.
"""

import copy
import json

import pytest
from authz_corpus import SRV, TESTS, documents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opa_server import OpaServer, find_opa

from stockade.authorization import load_bundle
from stockade.authz.denied import Denied
from stockade.authz.engines import ENTRY_POINT, PERMISSION, encode, verdict
from stockade.authz.engines.opa import Server
from stockade.authz.engines.regorus import Embedded, whole
from stockade.authz.settings import Settings

POLICIES = ("e2e", "team", "any")
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


class Engines:
    """The same policy in three engines."""

    def __init__(self, policy, server):
        self.embedded = Embedded(policy)
        self.embedded._remembered = None
        self.policy, self._revision = policy, policy["revision"]
        self.opa = Server(server.url, policy=policy, timeout=20)

    def machine(self, document):
        """Whether the fast way says yes; None when it has no answer."""
        if not whole(document):
            return None
        machine = self.embedded._evaluator().machine
        try:
            machine.set_input_json(encode(document))
            answer = json.loads(machine.execute_entry_point(PERMISSION))
        except (RuntimeError, ValueError):
            return None
        return answer.get("allow") if isinstance(answer, dict) else None

    def interpreter(self, document):
        """The whole decision."""
        interpreter = self.embedded._evaluator().interpreter
        try:
            interpreter.set_input_json(encode(document))
            return verdict(json.loads(interpreter.eval_rule_as_json(ENTRY_POINT)), self._revision)
        except (RuntimeError, Denied):
            return None

    def both(self, document):
        """As the service asks."""
        try:
            return self.embedded.decide(document)
        except Denied:
            return None

    def server(self, document):
        """As the service asks with --opa."""
        try:
            return self.opa.decide(document)
        except Denied:
            return None


@pytest.fixture(scope="module")
def engines(tmp_path_factory, require):
    """Each policy in each engine; the OPA server has one policy at a time."""
    require(find_opa(), "needs opa (.ci/opa)")
    directory = tmp_path_factory.mktemp("opa")
    e2e = (TESTS / "e2e" / "authz" / "policy.yaml").read_text().replace("@SRV@", SRV)
    (directory / "e2e.yaml").write_text(e2e)
    (directory / "any.yaml").write_text(ANY)
    references = {"e2e": str(directory / "e2e.yaml"), "team": "team"}
    references["any"] = str(directory / "any.yaml")
    server = OpaServer(directory)
    server.start()
    made = {
        name: Engines(load_bundle(Settings(policy=reference)).document, server)
        for name, reference in references.items()
    }
    yield made
    server.stop()


@pytest.fixture(scope="module")
def corpus():
    found = documents()
    assert len(found) > 1500
    return found


@pytest.mark.parametrize("name", POLICIES)
def test_the_whole_corpus(name, engines, corpus):
    these = engines[name]
    these.opa.prepare()
    allowed = 0
    # What only the e2e policy was made for is asked of the others less often.
    for document in corpus[:: 1 if name == "e2e" else 3]:
        said = these.server(document)
        assert said is not None, document
        assert whole(document), document
        assert these.interpreter(document) == said, document
        assert these.both(document).allow == said.allow, document
        assert (these.machine(document) is True) == said.allow, document
        if said.allow:
            allowed += 1
            assert these.both(document).rule == said.rule
        else:
            assert these.both(document).reasons == said.reasons
            assert said.reasons
    assert allowed > 20


VALUES = st.sampled_from(
    [None, True, False, 0, -1, 1.5, "", "x", "host", "default", "/", "/etc", "..", f"{SRV}/ok",
     f"{SRV}/../x", f"{SRV}/ok/", f"{SRV}/a\nb", "ci-x", "own", "*", "\u017f", [], {}, [None], [[]],
     ["/"], {"x": None}, {"": ""}, {"any": True}, 10**30]
)  # fmt: skip


@st.composite
def damages(draw):
    """Where to go in a document at each turn, what to do there, and with which value."""
    steps = st.lists(st.integers(0, 40), min_size=1, max_size=6)
    return [
        (draw(steps), draw(st.sampled_from(["set", "drop", "add"])), draw(VALUES))
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


@pytest.mark.parametrize("name", POLICIES)
def test_documents_that_no_request_makes(name, engines, corpus):
    these = engines[name]
    these.opa.prepare()
    chosen = [document for document in corpus if these.both(document).allow]

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(chosen) - 1), damages())
    def check(number, changes):
        document = damaged(chosen[number], changes)
        said = these.server(document)
        allowed = said is not None and said.allow
        exact, found = these.interpreter(document), these.both(document)
        if exact is not None:  # else it raised an error where OPA says undefined: a denial
            assert exact.allow == allowed
        if these.machine(document) is True or (found is not None and found.allow):
            assert allowed

    check()


def test_a_difference_would_be_seen(engines, corpus):
    """One rule changed in one engine is noticed."""
    these = engines["e2e"]
    these.opa.prepare()
    changed = copy.deepcopy(these.policy)
    changed["rules"][3]["images"]["any"] = True
    lax = Embedded(changed)
    differ = [each for each in corpus if lax.decide(each).allow != these.both(each).allow]
    assert differ
    assert all(lax.decide(each).allow and not these.server(each).allow for each in differ)
