"""Opens an AE-2 archive by the format's description, block by block, without the shop's code."""

import hashlib
import hmac
import io
import zipfile

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class WrongPassword(Exception):
    """The archive says that this is not its password."""


def opened(archive: bytes, password: str) -> tuple[str, bytes]:
    """The name and the content of the one file in it; raises WrongPassword."""
    (entry,) = zipfile.ZipFile(io.BytesIO(archive)).infolist()
    assert (entry.flag_bits & 1, entry.compress_type, entry.CRC) == (1, 99, 0)
    assert entry.extra == bytes.fromhex("0199 0700 0200 4145 03 0000")
    name_length, extra_length = (int.from_bytes(archive[at : at + 2], "little") for at in (26, 28))
    start = 30 + name_length + extra_length
    body = archive[start : start + entry.compress_size]
    salt, check, text, mac = body[:16], body[16:18], body[18:-10], body[-10:]
    keys = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 66)
    if keys[64:] != check:
        raise WrongPassword
    assert hmac.new(keys[32:64], text, hashlib.sha1).digest()[:10] == mac
    plain = b""
    for number in range(-(-len(text) // 16)):
        counter = (number + 1).to_bytes(16, "little")
        cipher = Cipher(algorithms.AES(keys[:32]), modes.CTR(counter)).encryptor()
        plain += cipher.update(text[number * 16 : number * 16 + 16])
    assert len(plain) == entry.file_size
    return entry.filename, plain
