"""Records: OPA's fields, no secrets, no more than 64 KiB."""

import hashlib
import json
import time
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.authz.jsonbytes import dumps
from stockade.authz.log import DecisionLog
from stockade.authz.model import (
    LOCAL,
    CanonicalRequest,
    Decision,
    Phase,
    PluginRequest,
    Verdict,
)
from stockade.authz.records import MOST, encode, line, record
from stockade.authz.redact import may_have_secrets, redact, redact_uri, scrub

CANONICAL = CanonicalRequest(
    "container.create", "POST", "/containers/create", "1.41", LOCAL, {}, {"name": "web"},
    "root", None, None, (), {},
    redacted_body=lambda: {"Image": "nginx"},
)  # fmt: skip
DECISION = Decision(
    id="d-1", allow=False, code="rule-denied", reason="not allowed", phase=Phase.REQUEST,
    timestamp="2030-01-02T03:04:05.000006Z", duration=0.0005, revision="abc",
    request=CANONICAL, verdict=Verdict(False, None, ("binds",), ("ops",)), method="POST",
    uri="/v1.41/containers/create?name=web", input={"operation": "container.create"},
)  # fmt: skip
REQUEST = PluginRequest(
    Phase.REQUEST, "POST", "/v1.41/containers/create?name=web", b'{"Env":["PW=hunter2"]}',
    {"User-Agent": "Docker-Client/20.10", "X-Registry-Auth": "hunter2", "Cookie": "hunter2"},
    "", "", (),
)  # fmt: skip


def test_has_the_fields_of_opas_decision_log():
    made = record(DECISION, REQUEST, {"id": "host-1", "version": "1"})
    assert made["decision_id"] == "d-1"
    assert made["timestamp"] == "2030-01-02T03:04:05.000006Z"
    assert made["path"] == "stockade/authz/decision"
    assert made["labels"] == {"id": "host-1", "version": "1"}
    assert made["bundles"] == {"stockade": {"revision": "abc"}}
    assert made["input"] == {"operation": "container.create"}
    assert made["result"] == {
        "allow": False, "rule": None, "reasons": ["binds"], "subjects": ["ops"],
    }  # fmt: skip
    assert made["requested_by"] == made["user"] == "local"
    assert made["metrics"] == {"timer_server_handler_ns": 500_000}


def test_has_our_own_fields():
    made = record(replace(DECISION, status=201, phase=Phase.RESPONSE), REQUEST)
    assert (made["phase"], made["status"], made["code"]) == ("response", 201, "rule-denied")
    assert (made["operation"], made["version"], made["method"]) == (
        "container.create", "1.41", "POST",
    )  # fmt: skip
    assert made["body"] == {"bytes": 22, "sha256": hashlib.sha256(REQUEST.body).hexdigest()}
    assert made["user_agent"] == "Docker-Client/20.10"


def test_a_request_that_was_not_understood():
    made = record(replace(DECISION, request=None, verdict=None, input=None, identity=LOCAL))
    assert (made["operation"], made["input"], made["user"]) == (None, None, "local")
    assert made["result"]["allow"] is False
    made = record(replace(DECISION, request=None, verdict=None, input=None))
    assert made["user"] is None
    assert json.loads(encode(made))["requested_by"] == ""


def test_a_request_denied_before_its_input_was_made():
    made = record(replace(DECISION, input=None))
    assert made["input"]["body"] == {"Image": "nginx"}
    assert made["input"]["subject"]["principal"] == "local"


def test_headers_and_body_are_not_in_it():
    assert b"hunter2" not in encode(record(DECISION, REQUEST))


SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "document",
    [
        {"query": {"buildargs": f'{{"TOKEN":"{SECRET}"}}'}},
        {"query": {"remote": f"https://user:{SECRET}@git.example.org/x.git"}},
        {"query": {"fromSrc": f"http://{SECRET}@example.org/x.tar"}},
        {"spec": {"log": {"driver": "splunk", "options": {"splunk-token": SECRET}}}},
        {"spec": {"mounts": [{"driver_options": {"o": f"username=x,password={SECRET},vers=3"}}]}},
        {"volume": {"driver_options": {"password": SECRET}}},
        {"network": {"driver_options": {"encryption_passphrase": SECRET}}},
        {"exec": {"command": ["mysql", f"--password={SECRET}"]}},
        {"exec": {"command": ["sh", "-c", f"TOKEN={SECRET} ./run"]}},
        {"exec": {"command": ["mysql", "--password", SECRET]}},
        {"spec": {"command": ["curl", "-u", f"bob:{SECRET}"]}},
        {"object": {"spec": {"entrypoint": ["sh", "-c", f"mysql -p {SECRET}"]}}},
        {"query": {"changes": [f"ENV A={SECRET}"]}},
        {"query": {"remote": f"https://user:a@{SECRET}@git.example.org/x.git"}},
        {"query": {"outputs": f'[{{"Attrs":{{"password":"{SECRET}"}}}}]'}},
        {"other": {"JoinTokens": {"Worker": SECRET, "Manager": [SECRET]}}},
        {"other": {"UnlockKey": SECRET}},
        {"object": {"spec": {"log": {"options": {"api_key": SECRET}}}}},
        {"references": ({"labels": MappingProxyType({"auth": SECRET})},)},
    ],
    ids=repr,
)
def test_secrets_of_a_document(document):
    text = encode(record(replace(DECISION, input=document))).decode()
    assert SECRET not in text
    assert "[redacted]" in text
    assert SECRET in repr(document)  # what was decided upon is untouched


def test_what_is_no_secret_stays():
    document = {
        "spec": {
            "privileged": True, "env_names": ["TOKEN"],
            "service": {"secrets": ["db-password"], "credential_spec": "file://x"},
            "mounts": [{"source": "/srv/a:b", "driver_options": {"o": "size=64m"}}],
            "image": {"text": "registry.example.org:5000/x@sha256:00"},
        },
        "build": {"args_names": ["PASSWORD"]},
        "subject": {"sans": ["URI:spiffe://example.org/app", "email:a@example.org"]},
    }  # fmt: skip
    assert redact(document) is document


@pytest.mark.parametrize(
    ("uri", "clean"),
    [
        ("/v1.41/build?t=x&buildargs=%7B%22A%22%7D", "/v1.41/build?t=x&buildargs=[redacted]"),
        ("/build?build%61rgs=x", "/build?build%61rgs=[redacted]"),
        ("/build?BuildArgs=x&pull=1", "/build?BuildArgs=[redacted]&pull=1"),
        ("/build?build%2561rgs=x", "/build?build%2561rgs=[redacted]"),
        ("/x?remote=https%3A%2F%2Fu%3Ap%40example.org", "/x?remote=https://[redacted]@example.org"),
        ("/commit?changes=ENV+A%3Db+C%3Dd", "/commit?changes=ENV A=[redacted]"),
        ("/build?labels=%7B%22token%22%3A%22x%22%7D", '/build?labels={"token":"[redacted]"}'),
        ("/x?a=b;token=x", "/x?a=b;token=[redacted]"),
        ("http://user:pw@x/containers/json", "http://[redacted]@x/containers/json"),
        ("/containers/json?all=1&filters=%7B%7D", "/containers/json?all=1&filters=%7B%7D"),
        ("", ""),
        ("?", "?"),
    ],
)  # fmt: skip
def test_request_targets(uri, clean):
    assert redact_uri(uri) == clean


def test_a_long_document_is_looked_through_in_time():
    document = {
        "spec": {"labels": {"a": "password=" * 400_000, **{str(n): "a=b" for n in range(9)}}}
    }
    begin = time.process_time()
    text = line(replace(DECISION, input=document))
    assert time.process_time() - begin < 2
    assert json.loads(text)["truncated"] is True


def test_secrets_of_a_long_document():
    document = {"a": [f"password={SECRET} {'x' * 500}", f"https://u:{SECRET}{'y' * 500}@h"] * 200}
    assert SECRET.encode() not in line(replace(DECISION, input=document))


def test_sentences():
    assert scrub("bad value password=abc, more") == "bad value password=[redacted], more"
    assert scrub("see https://example.org/a@b") == "see https://example.org/a@b"


class TestLength:
    @pytest.mark.parametrize(
        "document",
        [
            {"spec": {"env_names": ["x" * 50] * 80_000}},
            {"spec": {"labels": {str(n): "y" * 100 for n in range(40_000)}}},
            {"spec": {"labels": {"a": "\U0001f600" * 1_000_000}}},
            {"spec": {"labels": {"k" * 4_000_000: "v"}}},
            {"query": {"a": "\x00" * 4_000_000}},
            {"references": [{"labels": {str(n): "y" * 300 for n in range(300)}}] * 300},
            {"deep": [[[[[[[[[["x" * 60] * 30] * 30]]]]]]]]},
            {"number": 10**4000},
            {str(n): {str(m): ["z" * 99] * 99 for m in range(99)} for n in range(99)},
        ],
        ids=lambda value: next(iter(value)),
    )
    def test_is_bounded(self, document):
        text = encode(record(replace(DECISION, input=document), REQUEST, {"id": "x"}))
        assert len(text) <= MOST
        read = json.loads(text)
        assert read["decision_id"] == "d-1"
        assert read["body"]["bytes"] == 22
        if len(json.dumps(document)) > MOST:
            assert read["truncated"] is True

    def test_everything_else_too(self):
        text = encode(
            record(
                replace(
                    DECISION, reason="r" * 10**6, uri="/u" * 10**6, method="M" * 10**6,
                    verdict=Verdict(False, None, tuple(f"{n}" * 999 for n in range(9999)), ()),
                ),
                replace(REQUEST, headers={"User-Agent": "a" * 10**6}),
                {"id": "x" * 10**6},
            )
        )  # fmt: skip
        assert len(text) <= MOST
        assert json.loads(text)["decision_id"] == "d-1"

    def test_a_short_one_is_whole(self):
        assert "truncated" not in json.loads(encode(record(DECISION, REQUEST)))


def test_odd_text_can_be_written(tmp_path):
    """Lone surrogates, newlines and NUL from the wire must not break a line."""
    odd = replace(DECISION, uri="/\ud800\n\x00", input={"a": "\ud800\n"}, reason="\u2028\n")
    log = DecisionLog(tmp_path / "log" / "x")
    log.append(record(odd))
    lines = (tmp_path / "log" / "x").read_bytes().split(b"\n")
    assert len(lines) == 3
    assert json.loads(lines[1])["input"] == {"a": "\ud800\n"}


SECRETS = [
    {"password": "x"}, {"a": "PASSWD=x"}, {"Pass": "x"}, {"a": "my pass: x"}, {"a": "Secret=x"},
    {"TOKEN": 1}, {"credentials": []}, {"credentials": ["x"]}, {"a": "api-key: x"}, {"api.key": 2},
    {"access_key": "x"}, {"private-key": "x"}, {"Signing": "x"}, {"unlock key": "", "key": "x"},
    {"Authorization": "x"}, {"auth": "x"}, {"X-Registry-Auth": "x"}, {"buildargs": {"a": "b"}},
    {"a": ["https://me:x@example.org/"]}, {"a": "pa\u017f\u017fword=x"}, {"\u212aey": "x"},
]  # fmt: skip


@pytest.mark.parametrize("document", SECRETS)
def test_no_secret_is_overlooked_on_the_quick_way(document):
    decision = replace(DECISION, input={"operation": "x", "spec": document})
    assert json.loads(line(decision, REQUEST)) == record(decision, REQUEST)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20)
        | st.sampled_from(["https://a:b@c/", "token=x", "PASS: y", "pa\u017f\u017f=z"]),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["Key", "auth", "a"]), inner),
    )
)  # fmt: skip
def test_the_quick_way_says_what_the_long_one_says(document):
    decision = replace(DECISION, input={"spec": document})
    assert json.loads(line(decision, REQUEST)) == json.loads(encode(record(decision, REQUEST)))


def test_a_long_record_is_shortened_on_the_quick_way_too():
    decision = replace(DECISION, input={"spec": {"command": ["x" * 70_000]}})
    made = line(decision, REQUEST)
    assert len(made) <= MOST
    assert json.loads(made)["truncated"] is True


@pytest.mark.parametrize("before", ["", " ", "'", "x\n", "\t", ",", "sh -c "])
@pytest.mark.parametrize(
    "secret",
    [
        "PASSWORD=x", "auth: x", "traefik.auth=x", "--auth x", "MYSQL_PWD=x", "Bearer x", "-p x",
        "-p\tx", "--password x", "Cookie: a", '"auth" : "x"', "'token': 'x'", "https://u:p@h",
    ],
)  # fmt: skip
def test_the_quick_look_misses_nothing(before, secret):
    for words in ([before + secret], ["sh", "-c", before + secret], [before, *secret.split(" ")]):
        for document in ({"command": words}, {"other": words}, {"query": {"changes": words}}):
            if redact(document) != document:
                assert may_have_secrets(dumps(document)), document
    for words in (["mysql", "-px"], ["curl", "-u", "a:x"], ["redis-cli", "-a", "x"],
                  ["ldapsearch", "-w", "x"], ["curl", "--user", "a:x"]):  # fmt: skip
        assert redact({"command": words}) != {"command": words}
        assert may_have_secrets(dumps({"command": words}))
