"""Who asks: read from the client certificate that dockerd verified, never from a header.

Without a certificate the request came over the unix socket, or over a TCP socket that does not
verify clients; dockerd tells plugins nothing that sets the two apart.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from .denied import Denied
from .model import LOCAL, Identity, PluginRequest

_TLS = "TLS"


def identify(request: PluginRequest) -> Identity:
    """The identity behind a request.

    Raises:
        Denied: certificate, `User` and `UserAuthNMethod` do not belong together, or the
            certificate cannot be read or names two common names.
    """
    if not request.certificates:
        if request.user or request.authentication:
            raise Denied("identity-mismatch", "the engine names a user without a certificate")
        return LOCAL
    if request.authentication != _TLS:
        raise Denied(
            "identity-mismatch",
            f"there is a certificate, but the method is {request.authentication!r}",
        )
    identity = _of_certificate(request.certificates[0])
    if request.user != (identity.cn or ""):
        raise Denied("identity-mismatch", "the engine's user is not the certificate's common name")
    return identity


@lru_cache(maxsize=256)
def _of_certificate(pem: str) -> Identity:
    """Reads a certificate; what fails is not remembered."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
        subject = certificate.subject
        names = [_text(name) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        units = tuple(
            _text(name) for name in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        )
        principal = subject.rfc4514_string()
        sans = _sans(certificate)
    except Exception as error:  # whatever a parser of hostile input can raise
        raise Denied(
            "bad-certificate", f"the client certificate cannot be read: {error}"
        ) from error
    if len(names) > 1:
        # Go would take the last one.
        raise Denied("bad-certificate", "the client certificate has several common names")
    if not principal:
        raise Denied("bad-certificate", "the client certificate has no subject")
    return Identity("tls", principal, names[0] if names else None, units, sans)


def _text(name: x509.NameAttribute[str | bytes]) -> str:
    value = name.value
    if not isinstance(value, str):
        raise ValueError("a name that is not text")
    return value


def _sans(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    found: list[str] = []
    for name in extension.value:
        if isinstance(name, x509.DNSName):
            found.append(f"DNS:{name.value}")
        elif isinstance(name, x509.UniformResourceIdentifier):
            found.append(f"URI:{name.value}")
        elif isinstance(name, x509.RFC822Name):
            found.append(f"email:{name.value}")
        elif isinstance(name, x509.IPAddress):
            found.append(f"IP:{name.value}")
    return tuple(found)
