"""The box's own authority and certificate: made here, kept here, renewed before they end or the address changes."""
from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bottle
from bottle import HTTPError, HTTPResponse

from appliance.config import Box, ConfigError
from appliance.store.files import write_durably
from web import auth
from web.office import Office

DAYS = 365
RENEW_S = 30 * 24 * 3600
BEGINS, ENDS = "20250101000000Z", "20491231235959Z"      # of the authority: a box without a clock makes it too
# What the authority may vouch for, so that nobody can use a stolen one against other sites (RFC 5280, 4.2.1.10).
OWN_PLACES = ["DNS:localhost", "DNS:local", "DNS:lan", "DNS:internal", "DNS:home.arpa", "IP:127.0.0.0/255.0.0.0",
              "IP:10.0.0.0/255.0.0.0", "IP:172.16.0.0/255.240.0.0", "IP:192.168.0.0/255.255.0.0",
              "IP:169.254.0.0/255.255.0.0", "IP:100.64.0.0/255.192.0.0",
              "IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "IP:fc00::/fe00::", "IP:fe80::/ffc0::"]


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/certificate", callback=lambda: _page(office))
    app.get("/ca.crt", callback=lambda: _download(office))


def _page(office: Office) -> str:
    """How to make this browser trust the box; open to all, since who needs it cannot log in without a warning."""
    der = authority_der(office)
    digest = hashlib.sha256(der).hexdigest().upper()
    return office.render("certificate.html", print_=[digest[at:at + 2] for at in range(0, 64, 2)],
                         address=office.origin)


def _download(office: Office) -> HTTPResponse:
    """The authority's certificate as DER, which Windows, Android, iOS and macOS open by a touch."""
    return HTTPResponse(authority_der(office), headers={
        "Content-Type": "application/x-x509-ca-cert",
        "Content-Disposition": f'attachment; filename="{office.box.name}-deskbell.crt"'})


def authority_der(office: Office) -> bytes:
    if not office.box.web.tls:
        raise HTTPError(404)
    return der(authority(office.box))


def own(box: Box) -> Path:
    """A PEM file (0600) with key, certificate and the authority's certificate, good for another month at least.

    Made anew by openssl when it is missing, ends within a month, or the box has other names or addresses now.
    """
    folder = _folder(box)
    pem = folder / "box.pem"
    before = os.umask(0o077)
    try:
        if not _is_good(pem, box):
            if authority_is_narrow(box):
                authority(box).unlink()            # it may not vouch for the new name: trust it once more
            write_durably(pem, _make(box, authority(box)))     # one file: key and certificate can never part
    finally:
        os.umask(before)
    return pem


def authority(box: Box) -> Path:
    """A PEM file (0600) with the key and certificate of this box's own authority, made at the first start."""
    pem = _folder(box) / "authority.pem"
    if not pem.exists():
        before = os.umask(0o077)
        try:
            write_durably(pem, _make_authority(box))
        finally:
            os.umask(before)
    return pem


def authority_is_narrow(box: Box) -> bool:
    """Whether the box has a name by now that its authority may not vouch for."""
    pem = _folder(box) / "authority.pem"
    return pem.exists() and not set(_own_names(box)) <= set(_noted(pem))


def der(pem: Path) -> bytes:
    """The first certificate of a PEM file in the form that telephones and Windows open."""
    text = pem.read_text()
    begin = text.index("-----BEGIN CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(text[begin:text.index("-----END CERTIFICATE-----", begin) + 25])


def names(box: Box) -> list[str]:
    """What a browser may call the box, as subjectAltName entries (RFC 5280, 4.2.1.6)."""
    entries = ["DNS:localhost", "IP:127.0.0.1", *_own_names(box)]
    try:
        is_everywhere = ipaddress.ip_address(box.web.listen).is_unspecified
    except ValueError:
        is_everywhere = False
    if is_everywhere:
        entries += [f"IP:{address}" for address in addresses() if ipaddress.ip_address(address).is_private]
    return list(dict.fromkeys(entries))


def addresses() -> list[str]:
    """The addresses of this machine, the loopback's left out, as the kernel lists them."""
    found = []
    lines = _lines("/proc/self/net/fib_trie")
    for line, after in zip(lines, lines[1:], strict=False):
        if "host LOCAL" in after and "|--" in line:
            found.append(line.split()[-1])
    for line in _lines("/proc/self/net/if_inet6"):
        found.append(str(ipaddress.IPv6Address(int(line.split()[0], 16))))
    return sorted({address for address in found if not (known := ipaddress.ip_address(address)).is_loopback
                   and not known.is_link_local})


def _own_names(box: Box) -> list[str]:
    """Names and addresses that a person gave the box; an authority must be allowed to vouch for each."""
    entries = [f"DNS:{auth.host_name()}"] if auth.host_name() else []
    for host in (box.web.listen, *box.web.hosts):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            entries.append(f"DNS:{host}")
        else:
            if not address.is_unspecified:
                entries.append(f"IP:{address}")
    return entries


def _make_authority(box: Box) -> bytes:
    allowed = [*OWN_PLACES, *(_as_network(name) for name in _own_names(box))]
    with tempfile.TemporaryDirectory(dir=_folder(box)) as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "crt"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-sha256",
                 "-not_before", BEGINS, "-not_after", ENDS,
                 "-subj", f"/O=Deskbell/CN=Deskbell {box.name} {os.urandom(2).hex()}",
                 "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 "-addext", "nameConstraints=critical," + ",".join(f"permitted;{name}" for name in allowed),
                 "-out", str(certificate), "-keyout", str(key))
        return _note(_own_names(box)) + key.read_bytes() + certificate.read_bytes()


def _as_network(name: str) -> str:
    kind, _, value = name.partition(":")
    if kind == "DNS":
        return name
    address = ipaddress.ip_address(value)
    return f"IP:{address}/{'255.255.255.255' if address.version == 4 else 'ffff:' * 7 + 'ffff'}"


def _make(box: Box, issuer: Path) -> bytes:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=_folder(box)) as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "crt"
        _openssl("req", "-x509", "-CA", str(issuer), "-CAkey", str(issuer), "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-noenc", "-sha256",
                 "-not_before", f"{now - timedelta(days=1):%Y%m%d%H%M%SZ}",      # a telephone's clock may be slow
                 "-not_after", f"{now + timedelta(days=DAYS):%Y%m%d%H%M%SZ}", "-subj", f"/O=Deskbell/CN={box.name}",
                 "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
                 "-addext", "subjectAltName=" + ",".join(names(box)),
                 "-out", str(certificate), "-keyout", str(key))
        parts = issuer.read_text()
        vouching = parts[parts.index("-----BEGIN CERTIFICATE-----"):].encode()
        return _note(names(box)) + key.read_bytes() + certificate.read_bytes() + vouching


def _is_good(pem: Path, box: Box) -> bool:
    """Whether the certificate lasts another month, carries the names of now, and the authority of now stands in it."""
    issuer = _folder(box) / "authority.pem"
    if not pem.exists() or not issuer.exists() or set(_noted(pem)) != set(names(box)):
        return False
    if issuer.read_text().rpartition("-----BEGIN CERTIFICATE-----")[2] not in pem.read_text():
        return False
    return subprocess.run(["openssl", "x509", "-noout", "-checkend", str(RENEW_S), "-in", str(pem)],
                          capture_output=True, check=False).returncode == 0


def _note(names_: list[str]) -> bytes:
    """A line before the key, which programs that read PEM pass over (RFC 7468, section 2)."""
    return f"names {' '.join(names_)}\n".encode()


def _noted(pem: Path) -> list[str]:
    first = pem.read_text().partition("\n")[0]
    return first.split()[1:] if first.startswith("names") else []


def _folder(box: Box) -> Path:
    folder = box.state / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text().splitlines()
    except OSError:                        # a kernel without IPv6, a sandbox
        return []


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise ConfigError("tls = true needs the program openssl, which is not there. "
                          "Install it, or set tls = false and listen on \"127.0.0.1\".") from missing
    if done.returncode:
        raise ConfigError(f"The box could not make its certificate: {done.stderr.strip()[-300:]}. "
                          "Check the names in hosts under [web] in box.toml.")
