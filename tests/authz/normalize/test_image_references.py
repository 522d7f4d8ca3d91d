"""Image references mean what github.com/distribution/reference makes of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.authz.denied import Denied
from stockade.authz.normalize.images import image, named

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"

# The grammar in the comment of reference.go, names already normalised.
DOMAIN = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
DOMAINS = rf"(?:{DOMAIN}(?:\.{DOMAIN})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
PATH = r"[a-z0-9]+(?:(?:[_.]|__|[-]+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?:{DOMAINS}/)?{PATH}(?:/{PATH})*(?::[A-Za-z0-9_][\w.-]{{0,127}})?"
    r"(?:@(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?",
    re.ASCII,
)


@pytest.mark.parametrize(
    ("said", "registry", "repository", "tag", "digest"),
    [
        ("nginx", "docker.io", "library/nginx", "latest", None),
        ("nginx:1.25", "docker.io", "library/nginx", "1.25", None),
        ("library/nginx", "docker.io", "library/nginx", "latest", None),
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", None),
        ("index.docker.io/nginx", "docker.io", "library/nginx", "latest", None),
        ("index.docker.io/a/b", "docker.io", "a/b", "latest", None),
        ("team/app", "docker.io", "team/app", "latest", None),
        ("localhost/app", "localhost", "app", "latest", None),
        ("localhost:5000/app:v1", "localhost:5000", "app", "v1", None),
        ("registry.example.org/a/b/c:x", "registry.example.org", "a/b/c", "x", None),
        ("host:5000/app", "host:5000", "app", "latest", None),
        ("[::1]:5000/app", "[::1]:5000", "app", "latest", None),
        ("HOST/app", "HOST", "app", "latest", None),
        ("a__b/c-d.e", "docker.io", "a__b/c-d.e", "latest", None),
        (f"nginx@{DIGEST}", "docker.io", "library/nginx", None, DIGEST),
        (f"nginx:1@{DIGEST}", "docker.io", "library/nginx", "1", DIGEST),
        ("docker.io", "docker.io", "library/docker.io", "latest", None),
    ],
)
def test_names(
    said: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    assert image(said) == {
        "text": said,
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest,
        "id": None,
        "ambiguous": False,
    }


@pytest.mark.parametrize("said", [HEX, DIGEST])
def test_whole_ids(said: str) -> None:
    found = image(said)
    assert found["id"] == DIGEST
    assert found["registry"] is found["repository"] is found["tag"] is None
    assert found["ambiguous"] is False


@pytest.mark.parametrize(
    ("said", "ambiguous"),
    [
        ("deadbeef", True),
        ("a", True),
        (HEX[:63], True),
        ("sha256:dead", True),
        ("deadbeef:1", False),
        ("deadbeeg", False),
        ("library/deadbeef", False),
    ],
)
def test_what_could_be_a_short_id(said: str, ambiguous: bool) -> None:
    assert image(said)["ambiguous"] is ambiguous


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Nginx",
        "a/B",
        "a//b",
        "/a",
        "a/",
        "a:",
        "a:b:c",
        "a:" + "x" * 129,
        "a:-x",
        "a..b",
        "a___b",
        "-a",
        "a@sha256:12",
        f"a@md5:{HEX[:32]}",
        f"a@SHA256:{HEX}",
        f"a@sha256:{HEX.upper()}",
        f"@{DIGEST}",
        f"a@{DIGEST}@{DIGEST}",
        "a b",
        "a\n",
        "a\x00",
        "\u0430",
        "http://a/b",
        "ex_ample.org/a",
        "host:port/a",
        "docker.io/" + "a" * 256,
        "[0]/a",
    ],
)
def test_no_references(said: str) -> None:
    with pytest.raises(Denied) as caught:
        image(said)
    assert caught.value.code == "bad-image"


@given(
    st.lists(
        st.sampled_from(["a", "b1", "A", "/", ":", ".", "-", "_", "@", "[", "]", "5000", DIGEST]),
        min_size=1,
        max_size=9,
    ).map("".join)
)
def test_nothing_but_the_grammar_is_taken(said: str) -> None:
    try:
        image(said)
        taken = True
    except Denied:
        taken = False
    assert taken == (REFERENCE.fullmatch(said) is not None or said in (HEX, DIGEST))


@given(
    st.sampled_from(["", "a.b/", "localhost/", "A:1/", "[::1]/", "docker.io/", "index.docker.io/"]),
    st.lists(st.sampled_from(["a", "b-1", "c__d", "e.f", "library"]), min_size=1, max_size=3),
    st.sampled_from(["", ":1", ":_", ":latest"]),
    st.sampled_from(["", f"@{DIGEST}"]),
)
def test_the_parts_make_the_reference_again(
    registry: str, path: list[str], tag: str, digest: str
) -> None:
    found = image(f"{registry}{'/'.join(path)}{tag}{digest}")
    again = f"{found['registry']}/{found['repository']}"
    again += f":{found['tag']}" if found["tag"] else ""
    again += f"@{found['digest']}" if found["digest"] else ""
    assert image(again) == {**found, "text": again, "ambiguous": False}


@pytest.mark.parametrize(
    ("repository", "tag", "every_tag", "expected"),
    [
        ("a", "", False, ("library/a", "latest", None)),
        ("a", "", True, ("library/a", None, None)),
        ("a:", "", True, ("library/a", None, None)),
        ("a", "1", False, ("library/a", "1", None)),
        ("a:1", "", True, ("library/a", "1", None)),
        ("a:1", "1", True, ("library/a", "1", None)),
        ("a", DIGEST, True, ("library/a", None, DIGEST)),
        ("a:1", DIGEST, True, ("library/a", None, DIGEST)),
        (f"a@{DIGEST}", "", True, ("library/a", None, DIGEST)),
        (f"a@{DIGEST}", "1", True, ("library/a", "1", DIGEST)),
    ],
)
def test_two_parameters(
    repository: str, tag: str, every_tag: bool, expected: tuple[str, str | None, str | None]
) -> None:
    found = named(repository, tag, every_tag=every_tag)
    assert (found["repository"], found["tag"], found["digest"]) == expected


@pytest.mark.parametrize(
    ("repository", "tag"),
    [
        ("a:1", "2"),
        ("a", "sha256:12"),
        (HEX, ""),
        (DIGEST, "x"),
        ("", "1"),
        ("A", ""),
        (f"a@{DIGEST}", DIGEST.replace("0", "1")),
    ],
)
def test_two_parameters_denied(repository: str, tag: str) -> None:
    with pytest.raises(Denied):
        named(repository, tag, every_tag=True)
