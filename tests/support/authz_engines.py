"""One policy in every engine that Stockade has and in the oracle: what they make of requests."""

import json
from collections import OrderedDict

import requests
from authz_oracle import decide

from stockade.authz.compile import policy_data
from stockade.authz.denied import Denied
from stockade.authz.engines import ENTRY_POINT, PERMISSION, encode, verdict
from stockade.authz.engines.opa import Server
from stockade.authz.engines.regorus import Embedded
from stockade.authz.engines.whole import whole
from stockade.policies.loader import load_text

MANY = """\
package batch

import rego.v1

decisions := [decision |
	some document in input.documents
	decision := data.stockade.authz.decision with input as document
]
"""


class Forgetful(OrderedDict):
    """Remembers nothing: each request is decided anew."""

    def __setitem__(self, key, value):
        pass


class Engines:
    """The same policy in three engines, and as the author wrote it."""

    def __init__(self, text, server):
        self.authz = load_text(text, "policy.yaml").require().authz
        self.policy = policy_data(self.authz, "policy")
        self.revision, self.url = self.policy["revision"], server.url
        self.embedded = Embedded(self.policy)
        self.embedded._allowed, self.embedded._decided = Forgetful(), Forgetful()
        self.opa = Server(server.url, policy=self.policy, timeout=20)
        self._session = requests.Session()
        self._session.trust_env = False

    def push(self):
        """Give the server this policy, instead of any other."""
        self.opa.prepare()
        self._session.put(f"{self.url}/v1/policies/batch", data=MANY).raise_for_status()
        return self

    def machine(self, document):
        """Whether the fast way says yes; None when it has no answer."""
        if not whole(document):
            return None
        machine = self.embedded._evaluator().machine
        try:
            machine.set_input_json(encode(self.embedded._permission(document)))
            answer = json.loads(machine.execute_entry_point(PERMISSION))
        except (RuntimeError, ValueError):
            return None
        return answer.get("allow") if isinstance(answer, dict) else None

    def interpreter(self, document):
        """The whole decision."""
        interpreter = self.embedded._evaluator().interpreter
        try:
            interpreter.set_input_json(encode(document))
            return verdict(json.loads(interpreter.eval_rule_as_json(ENTRY_POINT)), self.revision)
        except (RuntimeError, Denied):
            return None

    def both(self, document):
        """As the service asks."""
        try:
            return self.embedded.decide(document)
        except Denied:
            return None

    def server(self, documents):
        """What the OPA server says of many documents, None where that is an error."""
        answer = self._session.post(
            f"{self.url}/v1/data/batch/decisions",
            params={"strict-builtin-errors": "true"},
            data=encode({"input": {"documents": documents}}),
        )
        found = answer.json().get("result") if answer.ok else None
        if found is not None and len(found) == len(documents):
            return [self._verdict(each) for each in found]
        if len(documents) == 1:
            return [None]
        half = len(documents) // 2
        return [*self.server(documents[:half]), *self.server(documents[half:])]

    def _verdict(self, answer):
        try:
            return verdict(answer, self.revision)
        except Denied:
            return None

    def oracle(self, document):
        """Whether the language allows it, and by which rule."""
        return decide(self.authz, document, self.policy["protected"])

    def agree(self, documents):
        """Sound documents: all say the same. Returns what they say."""
        found = []
        for start in range(0, len(documents), 200):
            some = documents[start : start + 200]
            found += self.server(some)
        for document, said in zip(documents, found, strict=True):
            assert said is not None, document
            assert whole(document), document
            as_served = self.both(document)
            assert as_served.allow == said.allow, (said, document)
            assert (self.machine(document) is True) == said.allow, (said, document)
            if said.allow:
                assert as_served.rule == said.rule
                assert self.interpreter(document) == said, document
            else:
                assert as_served == said, document
                assert said.reasons
            assert as_served.subjects == said.subjects
            allow, rule = self.oracle(document)
            assert (allow, rule if allow else said.rule) == (said.allow, said.rule), document
            assert allow or rule == said.rule, document
        return found

    def never_laxer(self, documents):
        """Any documents: nothing allows what the server does not."""
        allowed = 0
        for document, said in zip(documents, self.server(documents), strict=True):
            expected = said is not None and said.allow
            found, machine = self.both(document), self.machine(document)
            # Where the interpreter raised an error and OPA says undefined, both deny.
            exact = self.interpreter(document) if found is not None and found.allow else found
            assert exact is None or exact.allow == expected, (said, document)
            assert found is None or not found.allow or expected, (said, document)
            assert machine is not True or expected, (said, document)
            allowed += expected
        return allowed
