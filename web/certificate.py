"""The box's own certificate: made here, kept here, renewed before it ends."""
from __future__ import annotations

import ipaddress
import os
import subprocess
from pathlib import Path

from appliance.config import Box, ConfigError
from appliance.store.files import write_durably

DAYS = 397               # browsers refuse certificates that live longer
RENEW_S = 30 * 24 * 3600


def own(box: Box) -> Path:
    """A PEM file (0600) with key and certificate, made by openssl when there is none or it ends within a month."""
    folder = box.state / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = folder / "box.pem"
    if not _lasts(pem):
        before = os.umask(0o077)
        try:
            write_durably(pem, _make(box, folder))     # one file: key and certificate can never part
        finally:
            os.umask(before)
    return pem


def names(box: Box) -> list[str]:
    """What a browser may call the box, as subjectAltName entries (RFC 5280, 4.2.1.6)."""
    entries = ["DNS:localhost", "IP:127.0.0.1"]
    for host in (box.web.listen, *box.web.hosts):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            entries.append(f"DNS:{host}")
        else:
            if not address.is_unspecified:
                entries.append(f"IP:{address}")
    return list(dict.fromkeys(entries))


def _make(box: Box, folder: Path) -> bytes:
    key, certificate = folder / "new.key", folder / "new.crt"
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-sha256",
             "-days", str(DAYS), "-subj", f"/O=Deskbell/CN={box.name}", "-addext",
             "subjectAltName=" + ",".join(names(box)), "-addext", "extendedKeyUsage=serverAuth",
             "-out", str(certificate), "-keyout", str(key))
    pem = key.read_bytes() + certificate.read_bytes()
    key.unlink()
    certificate.unlink()
    return pem


def _lasts(pem: Path) -> bool:
    if not pem.exists():
        return False
    return subprocess.run(["openssl", "x509", "-noout", "-checkend", str(RENEW_S), "-in", str(pem)],
                          capture_output=True, check=False).returncode == 0


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise ConfigError("tls = true needs the program openssl, which is not there. "
                          "Install it, or set tls = false and listen on \"127.0.0.1\".") from missing
    if done.returncode:
        raise ConfigError(f"The box could not make its certificate: {done.stderr.strip()[-300:]}. "
                          "Check the names in hosts under [web] in box.toml.")
