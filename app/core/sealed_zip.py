"""One file in a ZIP archive under a password, for a person to keep: WinZip's AES-256 (AE-2).

The files of `sealed_file` open in this program alone. This one opens in 7-Zip, WinRAR, Bandizip and
the archive apps of phones, which ask for the password. Its name and its length can be seen without
the password, so neither may tell anything.

    salt 16 bytes · 2 bytes that tell a wrong password · AES-256-CTR, little-endian counter from 1 ·
    HMAC-SHA1 of the cipher text, 10 bytes

The keys are PBKDF2-HMAC-SHA1 with the 1,000 rounds that the format prescribes, so the password
itself has to be strong. Source: https://www.winzip.com/en/support/aes-encryption/
"""

import hashlib
import hmac
import os
import struct
from datetime import datetime

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from app.core.crypto import Secret, Tampered

SALT = 16
ROUNDS = 1_000
BLOCK = 16
MAC = 10
# Encrypted, and the name is UTF-8.
FLAGS = 0x0801
METHOD_AES = 99
NEEDS = 51
# Vendor version AE-2 (no CRC, which would tell about the text), AES-256, stored.
EXTRA = struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", 3, 0)


def sealed_zip(name: str, plain: bytes, password: Secret, at: datetime) -> bytes:
    """An archive of one file; `at` is when it says that the file was made."""
    salt = os.urandom(SALT)
    material = hashlib.pbkdf2_hmac("sha1", password.reveal().encode(), salt, ROUNDS, 66)
    cipher_text = _xor_keystream(material[:32], plain)
    mac = hmac.new(material[32:64], cipher_text, "sha1").digest()[:MAC]
    body = salt + material[64:] + cipher_text + mac
    encoded = name.encode()
    common = struct.pack(
        "<HHHHHIIIHH",
        NEEDS,
        FLAGS,
        METHOD_AES,
        at.hour << 11 | at.minute << 5 | at.second // 2,
        (at.year - 1980) << 9 | at.month << 5 | at.day,
        0,
        len(body),
        len(plain),
        len(encoded),
        len(EXTRA),
    )
    local = b"PK\x03\x04" + common + encoded + EXTRA + body
    entry = struct.pack("<HHHII", 0, 0, 0, 0, 0)
    directory = b"PK\x01\x02" + struct.pack("<H", NEEDS) + common + entry + encoded + EXTRA
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + end


def opened(archive: bytes, password: Secret) -> bytes:
    """What is in an archive that `sealed_zip` made; raises Tampered for another password."""
    name_length, extra_length = struct.unpack_from("<HH", archive, 26)
    (size,) = struct.unpack_from("<I", archive, 18)
    start = 30 + name_length + extra_length
    body = archive[start : start + size]
    salt, check = body[:SALT], body[SALT : SALT + 2]
    cipher_text, mac = body[SALT + 2 : -MAC], body[-MAC:]
    material = hashlib.pbkdf2_hmac("sha1", password.reveal().encode(), salt, ROUNDS, 66)
    made = hmac.new(material[32:64], cipher_text, "sha1").digest()[:MAC]
    if not (hmac.compare_digest(material[64:], check) and hmac.compare_digest(made, mac)):
        raise Tampered("another password, or changed")
    return _xor_keystream(material[:32], cipher_text)


def _xor_keystream(key: bytes, text: bytes) -> bytes:
    """The format counts its blocks with the low byte first, which no ready-made CTR mode does."""
    blocks = -(-len(text) // BLOCK)
    counters = b"".join(number.to_bytes(BLOCK, "little") for number in range(1, blocks + 1))
    # Each block is a different counter and none is data: this is what CTR is made of.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    stream = encryptor.update(counters)[: len(text)]
    mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
    return mixed.to_bytes(len(text), "big")
