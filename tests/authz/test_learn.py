"""What responses teach, and what they do not."""

import json

import pytest

from stockade.authz.denied import Denied
from stockade.authz.facts import Facts
from stockade.authz.learn import changing, learn, learn_response
from stockade.authz.model import (
    LOCAL,
    CanonicalRequest,
    Fact,
    Identity,
    ObjectReference,
    Phase,
    PluginRequest,
)

ALICE = Identity("tls", "CN=alice", "alice")
WEB, OTHER, EXEC = "a" * 64, "b" * 64, "e" * 64
SERVICE = "x" * 25


@pytest.fixture
def facts(tmp_path):
    return Facts(tmp_path / "state" / "facts.db")


def request(operation, reference=None, query=None, details=None, identity=ALICE, other=None):
    kind = operation.partition(".")[0]
    thing = ObjectReference("container" if kind == "exec" else kind, reference)
    return CanonicalRequest(
        operation, "POST", "/", None, identity, {}, query or {}, "low",
        thing if reference else None, other, (), details or {},
    )  # fmt: skip


def response(body=b"", status=201, method="POST", phase=Phase.RESPONSE, headers=None):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return PluginRequest(
        phase, method, "/", b"", headers or {}, "", "", (), status=status, response_body=text
    )


SPEC = {"labels": {"env": "dev"}, "image": {"text": "nginx"}, "privileged": False}


class TestMaking:
    def test_a_container(self, facts):
        made = request("container.create", query={"name": "web"}, details={"spec": SPEC})
        learn(response({"Id": WEB, "Warnings": []}), made, facts)
        assert facts.lookup("container", WEB) == Fact(
            "container", WEB, "web", ALICE.document(), {"env": "dev"}, {"text": "nginx"}, SPEC
        )

    def test_a_container_without_a_name(self, facts):
        learn(response({"Id": WEB}), request("container.create", details={"spec": SPEC}), facts)
        assert facts.lookup("container", WEB).name is None

    def test_an_exec(self, facts):
        learn(response({"Id": EXEC}), request("exec.create", WEB), facts)
        assert facts.container_of(EXEC) == WEB

    def test_an_exec_of_a_name_is_not_guessed(self, facts):
        facts.remember(Fact("container", WEB, "web", None))
        learn(response({"Id": EXEC}), request("exec.create", "web"), facts)
        assert facts.container_of(EXEC) is None

    def test_a_volume(self, facts):
        made = request("volume.create", details={"volume": {"name": "", "labels": {"a": "b"}}})
        learn(response({"Name": "v", "CreatedAt": "2030-01-01T00:00:00Z"}), made, facts)
        fact = facts.lookup("volume", "v")
        assert (fact.owner, fact.labels) == (ALICE.document(), {"a": "b"})

    def test_a_network(self, facts):
        made = request("network.create", details={"network": {"name": "n", "labels": {}}})
        learn(response({"Id": WEB, "Warning": ""}), made, facts)
        assert facts.lookup("network", WEB).name == "n"

    def test_a_service(self, facts):
        spec = {**SPEC, "service": {"name": "api", "labels": {"x": "y"}}}
        learn(response({"ID": SERVICE}), request("service.create", details={"spec": spec}), facts)
        fact = facts.lookup("service", SERVICE)
        assert (fact.name, fact.labels, fact.owner) == ("api", {"x": "y"}, ALICE.document())

    @pytest.mark.parametrize("kind", ["secret", "config"])
    def test_a_secret_and_a_config(self, facts, kind):
        made = request(f"{kind}.create", details={"other": {"Name": "s", "Labels": {"a": "b"}}})
        learn(response({"ID": SERVICE}), made, facts)
        fact = facts.lookup(kind, SERVICE)
        assert (fact.name, fact.labels, fact.owner) == ("s", {"a": "b"}, ALICE.document())

    @pytest.mark.parametrize(
        "answer",
        [
            response({"Id": WEB}, status=500),
            response({"Id": WEB}, status=409),
            response({"Id": WEB}, status=304),
            response({"Id": WEB}, status=None),
            response({"Id": WEB}, method="GET"),
            response({"Id": WEB}, phase=Phase.REQUEST),
            response(b""),
            response(b'{"Id":"' + WEB.encode()),
            response(b"\xff"),
            response(b"[" * 100_000),
            response([WEB]),
            response({"Id": 7}),
            response({"Id": ""}),
            response({"Id": "../x"}),
            response({"Id": "a" * 1000}),
        ],
    )
    def test_what_teaches_nothing(self, facts, answer):
        learn(answer, request("container.create", details={"spec": SPEC}), facts)
        assert facts.count() == 0


class TestRemoving:
    @pytest.fixture(autouse=True)
    def known(self, facts):
        facts.remember(Fact("container", WEB, "web", ALICE.document(), spec=SPEC))
        facts.remember(Fact("container", OTHER, None, ALICE.document(), spec=SPEC))
        facts.remember(Fact("exec", EXEC, None, ALICE.document()), container=WEB)
        facts.remember(Fact("volume", "v", "v", ALICE.document()))
        facts.remember(Fact("network", WEB, "n", ALICE.document()))

    def test_an_answer_without_a_status_may_be_an_error(self, facts):
        answer = response(status=None, method="DELETE")
        learn(answer, request("container.remove", WEB), facts)
        assert facts.lookup("container", WEB) is not None

    @pytest.mark.parametrize("reference", [WEB, "web", "/web", WEB[:12]])
    def test_a_container(self, facts, reference):
        answer = response(status=204, method="DELETE")
        learn(answer, request("container.remove", reference), facts)
        assert facts.lookup("container", WEB) is None
        assert facts.container_of(EXEC) is None
        assert facts.lookup("container", OTHER) is not None

    def test_an_error_removes_nothing(self, facts):
        answer = response(status=409, method="DELETE")
        learn(answer, request("container.remove", WEB), facts)
        assert facts.lookup("container", WEB) is not None

    def test_volumes_and_networks(self, facts):
        answer = response(status=204, method="DELETE")
        learn(answer, request("volume.remove", "v"), facts)
        learn(answer, request("network.remove", "n"), facts)
        assert facts.lookup("volume", "v") is None
        assert facts.lookup("network", WEB) is None

    def test_prunes(self, facts):
        learn(response({"ContainersDeleted": [WEB, 7]}, 200), request("container.prune"), facts)
        assert facts.lookup("container", WEB) is None
        learn(response({"VolumesDeleted": ["v"]}, 200), request("volume.prune"), facts)
        assert facts.lookup("volume", "v") is None
        learn(response({"NetworksDeleted": ["n"]}, 200), request("network.prune"), facts)
        assert facts.lookup("network", WEB) is None
        learn(response({"ContainersDeleted": None}, 200), request("container.prune"), facts)
        assert facts.lookup("container", OTHER) is not None

    def test_leaving_the_swarm(self, facts):
        facts.remember(Fact("service", SERVICE, "s", None))
        learn(response(b"", 200), request("swarm.leave"), facts)
        assert facts.lookup("service", SERVICE) is None
        assert facts.lookup("volume", "v") is not None


class TestChanging:
    @pytest.fixture(autouse=True)
    def known(self, facts):
        for id_, name in ((WEB, "web"), (OTHER, "other")):
            facts.remember(Fact("container", id_, name, ALICE.document(), spec=SPEC))

    def specs(self, facts):
        return [facts.lookup("container", id_).spec is not None for id_ in (WEB, OTHER)]

    @pytest.mark.parametrize("operation", ["container.update", "container.rename"])
    def test_of_a_container(self, facts, operation):
        changing(request(operation, "web"), {"object": {"id": WEB, "known": True}}, facts)
        assert self.specs(facts) == [False, True]

    @pytest.mark.parametrize("operation", ["network.connect", "network.disconnect"])
    def test_of_its_networks(self, facts, operation):
        document = {
            "object": {"id": OTHER, "known": True},
            "container_object": {"id": WEB, "known": True},
        }
        changing(request(operation, "n"), document, facts)
        assert self.specs(facts) == [False, True]

    @pytest.mark.parametrize("document", [{}, {"object": None}, {"object": {"known": False}}])
    def test_of_one_that_is_not_known(self, facts, document):
        changing(request("container.update", "web"), document, facts)
        assert self.specs(facts) == [False, False]

    def test_other_operations_change_nothing(self, facts):
        changing(request("container.start", "web"), {"object": {"id": WEB, "known": True}}, facts)
        assert self.specs(facts) == [True, True]

    def test_a_new_name(self, facts):
        changing(request("container.rename", WEB), {"object": {"id": WEB, "known": True}}, facts)
        learn(response(b"", 204), request("container.rename", WEB, {"name": "new"}), facts)
        assert facts.find_by_name("container", "new").id == WEB
        assert facts.lookup("container", WEB).spec is None


class TestResponses:
    def test_the_owner_is_who_asked(self, facts):
        def canonicalize(_, identity):
            return request("container.create", details={"spec": SPEC}, identity=identity)

        learn_response(response({"Id": WEB}), LOCAL, canonicalize, facts)
        assert facts.lookup("container", WEB).owner == LOCAL.document()

    def test_what_teaches_nothing_is_not_read(self, facts):
        learn_response(response(b"", 404), ALICE, None, facts)
        learn_response(response(b"", 200, "GET"), ALICE, None, facts)

    def test_one_with_a_nonce(self, facts):
        answer = response({"Id": WEB}, headers={"X-Stockade-Nonce": "x"})
        with pytest.raises(Denied):
            learn_response(answer, ALICE, None, facts)
