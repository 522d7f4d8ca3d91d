"""Certificates for tests: an authority, a server's and clients', written as PEM files.

Keys are P-256: quick to make, and every TLS stack takes them.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate, followed by its issuers below the root, and of its key."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority, its own root or below another; its files are in `directory`."""

    def __init__(self, directory: Path, name: str, issuer: "Authority | None" = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._issuer = issuer
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, self._key.public_key(), DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self._root = builder.issuer_name(issuer.name if issuer else subject).sign(
            issuer._key if issuer else self._key, hashes.SHA256()
        )
        self.certificate = directory / "ca.pem"
        self.certificate.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))

    @property
    def name(self) -> x509.Name:
        """The subject of the authority's own certificate."""
        return self._root.subject

    def server(self, name: str = "server") -> Pair:
        """For a server at localhost and 127.0.0.1."""
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._issue(name, _name([name], ()), names, usage, DAY)

    def client(
        self,
        file: str,
        *,
        cn: Sequence[str] = (),
        ou: Sequence[str] = (),
        sans: Sequence[x509.GeneralName] = (),
        valid: datetime.timedelta = DAY,
    ) -> Pair:
        """For a client; `cn` and `ou` may be empty or several, `valid` negative for an old one."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(file, _name(cn, ou), sans, usage, valid)

    def _issue(
        self,
        file: str,
        subject: x509.Name,
        sans: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        valid: datetime.timedelta,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, key.public_key(), valid).issuer_name(self.name)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), False)
        chain = [builder.sign(self._key, hashes.SHA256())]
        if self._issuer:
            chain.append(self._root)
        pair = Pair(self.directory / f"{file}.pem", self.directory / f"{file}.key")
        pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
        pair.certificate.write_bytes(pem)
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        pair.key.chmod(0o600)
        return pair


def _name(cn: Sequence[str], ou: Sequence[str]) -> x509.Name:
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, each) for each in ou]
    return x509.Name(units + [x509.NameAttribute(NameOID.COMMON_NAME, each) for each in cn])


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    start, end = (now - DAY, now + valid) if valid > DAY * 0 else (now - 9 * DAY, now + valid)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
