"""Who asks is what the verified certificate says, and nothing else."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stockade.authz.denied import Denied
from stockade.authz.identity import identify
from stockade.authz.model import LOCAL, Phase, PluginRequest

CN, OU = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME
ORG = NameOID.ORGANIZATION_NAME
SANS: list[x509.GeneralName] = [
    x509.DNSName("ci.example.org"),
    x509.UniformResourceIdentifier("spiffe://example.org/app"),
    x509.RFC822Name("ci@example.org"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
]


def certificate(*subject: tuple[x509.ObjectIdentifier, str], sans: bool = False) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in subject]))
        .issuer_name(x509.Name([x509.NameAttribute(CN, "authority")]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(SANS), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def request(user: str = "", method: str = "", *certificates: str) -> PluginRequest:
    headers = {"User": "root", "X-Forwarded-User": "root", "Authorization": "x"}
    return PluginRequest(
        Phase.REQUEST, "GET", "/_ping", b"", headers, user, method, tuple(certificates)
    )


def denied(asked: PluginRequest) -> str:
    with pytest.raises(Denied) as caught:
        identify(asked)
    return caught.value.code


def test_without_a_certificate() -> None:
    assert identify(request()) == LOCAL


def test_a_certificate() -> None:
    issuer = certificate((CN, "authority"))
    leaf = certificate((ORG, "example"), (OU, "ops"), (OU, "night"), (CN, "alice"), sans=True)
    found = identify(request("alice", "TLS", leaf, issuer))
    assert found.method == "tls"
    assert found.principal == "CN=alice,OU=night,OU=ops,O=example"
    assert (found.cn, found.ou) == ("alice", ("ops", "night"))
    assert found.sans == (
        "DNS:ci.example.org",
        "URI:spiffe://example.org/app",
        "email:ci@example.org",
        "IP:192.0.2.1",
    )


def test_a_certificate_without_a_common_name() -> None:
    found = identify(request("", "TLS", certificate((OU, "ops"))))
    assert (found.cn, found.principal, found.sans) == (None, "OU=ops", ())


def test_names_that_only_look_like_several() -> None:
    found = identify(request("a,OU=ops", "TLS", certificate((CN, "a,OU=ops"))))
    assert (found.cn, found.ou) == ("a,OU=ops", ())
    assert found.principal.startswith("CN=a\\,OU")


@pytest.mark.parametrize(
    ("user", "method", "with_certificate"),
    [
        ("alice", "", False),
        ("", "TLS", False),
        ("alice", "TLS", False),
        ("", "", True),
        ("alice", "", True),
        ("", "TLS", True),
        ("bob", "TLS", True),
        ("Alice", "TLS", True),
        ("alice", "tls", True),
        ("alice ", "TLS", True),
    ],
)
def test_parts_that_do_not_belong_together(user: str, method: str, with_certificate: bool) -> None:
    certificates = [certificate((CN, "alice"))] if with_certificate else []
    assert denied(request(user, method, *certificates)) == "identity-mismatch"


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_two_common_names(user: str) -> None:
    # Go takes the last one: with one of the two users the engine would be right.
    leaf = certificate((CN, "alice"), (CN, "bob"))
    assert denied(request(user, "TLS", leaf)) == "bad-certificate"


def test_the_first_certificate_is_the_client() -> None:
    alice, bob = certificate((CN, "alice")), certificate((CN, "bob"))
    assert identify(request("alice", "TLS", alice, bob)).cn == "alice"
    assert denied(request("bob", "TLS", alice, bob)) == "identity-mismatch"


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n", "\u00e9"])
def test_what_is_no_certificate(pem: str) -> None:
    assert denied(request("alice", "TLS", pem)) == "bad-certificate"


def test_an_empty_subject() -> None:
    assert denied(request("", "TLS", certificate())) == "bad-certificate"
