"""The key that checkpoints are signed with (Ed25519), and what its public half looks like."""

from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from infrastructure.embedded.home import open_home
from infrastructure.settings import Settings, SettingsError

_FILE = "audit-key.pem"


class PublicKeyError(Exception):
    """What should be a public key is none; the message says what is expected."""


def signing_key(settings: Settings) -> Ed25519PrivateKey:
    """The key of the file that is set, or the one made at first use and kept in the home.

    Raises:
        HomeError: the home cannot be used.
        SettingsError: the file cannot be read, or has no Ed25519 private key in it.
    """
    file = settings.audit_key or open_home(settings.home).secret(_FILE, _made)
    where = "ORDERLOG_AUDIT_KEY is" if settings.audit_key else "The key of checkpoints should be in"
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"{where} {file}, which cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{where} {file}, which is no unencrypted Ed25519 private key in PEM")
    return key


def has_key(settings: Settings) -> bool:
    """Whether a key was set or made."""
    return settings.audit_key is not None or (settings.home / _FILE).exists()


def public_pem(key: Ed25519PublicKey) -> str:
    """The public key in PEM, as OpenSSL takes it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(file: Path) -> Ed25519PublicKey:
    """The public key in a PEM file.

    Raises:
        OSError: the file cannot be read.
        PublicKeyError: it has no Ed25519 public key in it.
    """
    try:
        key = load_pem_public_key(file.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise PublicKeyError(f"{file} is no Ed25519 public key in PEM; `orderlog events public-key` prints one")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """A short name of the key: the first 8 bytes of the SHA-256 of its 32, in hexadecimal."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def _made() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
