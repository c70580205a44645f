"""The second factor: codes of a telephone (TOTP, RFC 6238) and recovery codes for who lost it, each good once."""
from __future__ import annotations

import hashlib
import importlib
import io
import sqlite3
from datetime import datetime

import pyotp

from appliance.people import users

STEP_S = 30
DRIFT = 1                # steps a telephone's clock may be off, either way
RECOVERY_CODES = 8


def new_secret() -> str:
    """160 bits in base32, as authenticator programs read it (RFC 4226, section 4, R6)."""
    return pyotp.random_base32()


def address(secret: str, user: str, shop: str) -> str:
    """The otpauth:// address that the picture holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=shop)


def picture(secret: str, user: str, shop: str) -> bytes:
    """The address as an SVG to hold a telephone before: dark squares on their own light ground."""
    qrcode, svg = importlib.import_module("qrcode"), importlib.import_module("qrcode.image.svg")      # seldom wanted
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=4)
    code.add_data(address(secret, user, shop))
    out = io.BytesIO()
    code.make_image(image_factory=svg.SvgPathImage).save(out)
    return out.getvalue().replace(b"<path ", b'<rect width="100%" height="100%" fill="#fff"/><path ', 1)


def switch_on(db: sqlite3.Connection, user_id: int, secret: str, code: str, now: datetime) -> list[str] | None:
    """The recovery codes, to be shown once; None when the code does not prove that the telephone has the secret.

    Call it inside write(). The code that proves it is used up by that.
    """
    step = _step(secret, code, now, None)
    if step is None:
        return None
    db.execute("UPDATE user SET totp_secret = ?, totp_step = ? WHERE id = ?", (secret, step, user_id))
    return new_recovery_codes(db, user_id)


def switch_off(db: sqlite3.Connection, user_id: int) -> None:
    """The password alone is enough again; call it inside write()."""
    db.execute("UPDATE user SET totp_secret = NULL, totp_step = NULL WHERE id = ?", (user_id,))
    db.execute("DELETE FROM recovery_code WHERE user_id = ?", (user_id,))


def is_on(db: sqlite3.Connection, user_id: int) -> bool:
    return db.execute("SELECT 1 FROM user WHERE id = ? AND totp_secret IS NOT NULL", (user_id,)).fetchone() is not None


def use(db: sqlite3.Connection, user_id: int, code: str, now: datetime) -> str | None:
    """Which factor this code is, "code" or "recovery code", and it is used up; None when it is not good.

    Call it inside write(): two that come at once with one code are one log-in.
    """
    row = db.execute("SELECT totp_secret, totp_step FROM user WHERE id = ?", (user_id,)).fetchone()
    if row is None or row["totp_secret"] is None:
        return None
    step = _step(row["totp_secret"], code, now, row["totp_step"])
    if step is not None:
        db.execute("UPDATE user SET totp_step = ? WHERE id = ?", (step, user_id))
        return "code"
    used = db.execute("DELETE FROM recovery_code WHERE user_id = ? AND code_hash = ?", (user_id, _hash(code)))
    return "recovery code" if used.rowcount else None


def new_recovery_codes(db: sqlite3.Connection, user_id: int) -> list[str]:
    """Fresh ones, to be shown once; those of before are no longer good. Call it inside write()."""
    codes = [users.new_code() for _ in range(RECOVERY_CODES)]
    db.execute("DELETE FROM recovery_code WHERE user_id = ?", (user_id,))
    db.executemany("INSERT INTO recovery_code (code_hash, user_id) VALUES (?, ?)",
                   [(_hash(code), user_id) for code in codes])
    return codes


def recovery_codes_left(db: sqlite3.Connection, user_id: int) -> int:
    return int(db.execute("SELECT count(*) FROM recovery_code WHERE user_id = ?", (user_id,)).fetchone()[0])


def _step(secret: str, code: str, now: datetime, last: int | None) -> int | None:
    """The time step this code belongs to, if it is near now and after the last one that was used."""
    typed = "".join(code.split())
    if not (typed.isascii() and typed.isdecimal() and len(typed) == 6):
        return None
    current = int(now.timestamp()) // STEP_S
    for step in range(current - DRIFT, current + DRIFT + 1):
        if (last is None or step > last) and pyotp.utils.strings_equal(pyotp.TOTP(secret).generate_otp(step), typed):
            return step
    return None


def _hash(code: str) -> str:
    return hashlib.sha256(users.bare(code).encode()).hexdigest()
