"""A new shop's secrets: made once, kept in files that only their owner can read."""

import os
import secrets
from pathlib import Path

from app.core.crypto import new_master_key


def make_secrets() -> list[Path]:
    """Write `shop.env` and `master.key` into DATA_DIR where they are missing; returns the new ones.

    Values given by the environment stay there and are not written down.
    """
    data_dir = Path(os.environ.get("DATA_DIR") or "data").resolve()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    if not os.environ.get("SECRET_KEY") and not (data_dir / "shop.env").exists():
        text = (
            "# Read by every process of this shop; the environment wins over it.\n"
            f"SECRET_KEY={secrets.token_hex(32)}\n"
        )
        made.append(_write(data_dir / "shop.env", text))
    if not os.environ.get("MASTER_KEYS") and not (data_dir / "master.key").exists():
        made.append(_write(data_dir / "master.key", f"{new_master_key('k1')}\n"))
    return made


def _write(path: Path, text: str) -> Path:
    # Created with its final mode: there is no moment in which others could read it.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return path
