"""Make a certificate for a server of a test."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for agents.example and 127.0.0.1, valid for a day; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agents.example")])
    names: list[x509.GeneralName] = [x509.DNSName("agents.example"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
        key, hashes.SHA256()
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file, secret = folder / "agents.pem", folder / "agents.key"
    file.write_bytes(certificate.public_bytes(encoding))
    secret.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return file, secret
