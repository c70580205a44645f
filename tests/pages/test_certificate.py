"""The box's own authority and certificate, as a browser that trusts it sees them."""
from __future__ import annotations

import hashlib
import http.client
import re
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import Box
from tests.desk import Office, box_at
from web import auth, certificate


@pytest.fixture
def box(tmp_path: Path) -> Box:
    box = box_at(tmp_path)
    return replace(box, web=replace(box.web, tls=True))


@pytest.fixture
def tls(box: Box) -> Iterator[Office]:
    office = Office(box)
    yield office
    office.close()


def trusting(box: Box) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificate.der(certificate.authority(box)))


def shown(office: Office, name: str = "localhost") -> dict:
    """The certificate the pages show to a browser that trusts the authority and asks for this name."""
    with socket.create_connection(("127.0.0.1", office.server.port), timeout=10) as plain, \
            trusting(office.box).wrap_socket(plain, server_hostname=name) as safe:
        return safe.getpeercert() or {}


def ask(office: Office, path: str) -> http.client.HTTPResponse:
    asked = http.client.HTTPSConnection("127.0.0.1", office.server.port, context=trusting(office.box), timeout=10)
    asked.request("GET", path, headers={"Accept": "text/html"})
    return asked.getresponse()


def sign(box: Box, name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A certificate that whoever stole the authority's key makes for another site, checked as a browser would."""
    issuer, leaf = certificate.authority(box), folder / "leaf.pem"
    subprocess.run(["openssl", "req", "-x509", "-CA", str(issuer), "-CAkey", str(issuer), "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=x", "-days", "30", "-addext",
                    f"subjectAltName={name}", "-out", str(leaf), "-keyout", str(folder / "leaf.key")], check=True,
                   capture_output=True)
    return subprocess.run(["openssl", "verify", "-CAfile", str(issuer), str(leaf)], capture_output=True, text=True)


def test_a_browser_that_trusts_the_authority_sees_no_warning(tls: Office) -> None:
    for name in ("localhost", "127.0.0.1", "deskbell.local"):
        assert shown(tls, name)["issuer"] != shown(tls, name)["subject"]
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(tls, "bank.example")


def test_key_and_authority_are_for_nobody_else(tls: Office) -> None:
    for pem in (certificate.own(tls.box), certificate.authority(tls.box)):
        assert stat.S_IMODE(pem.stat().st_mode) == 0o600 and stat.S_IMODE(pem.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in pem.parent.iterdir()) == ["authority.pem", "box.pem"]


def test_the_leaf_lives_a_year_and_the_authority_till_2049(tls: Office) -> None:
    leaf = shown(tls)
    days = (ssl.cert_time_to_seconds(leaf["notAfter"]) - ssl.cert_time_to_seconds(leaf["notBefore"])) / 86400
    assert 365 <= days <= 367
    said = subprocess.run(["openssl", "x509", "-noout", "-text", "-in", str(certificate.authority(tls.box))],
                          capture_output=True, text=True, check=True).stdout
    assert "CA:TRUE, pathlen:0" in said and "2049" in said and "Name Constraints: critical" in said


def test_the_authority_is_made_once_and_the_leaf_when_it_ends_soon(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf, issuer = certificate.own(box).read_bytes(), certificate.authority(box).read_bytes()
    assert certificate.own(box).read_bytes() == leaf
    monkeypatch.setattr(certificate, "RENEW_S", 366 * 24 * 3600)
    assert certificate.own(box).read_bytes() != leaf and certificate.authority(box).read_bytes() == issuer


def test_another_name_renews_the_leaf_and_the_open_pages_show_it(tls: Office) -> None:
    before = shown(tls)["serialNumber"]
    certificate.own(tls.box).write_text(certificate.own(tls.box).read_text().replace("names ", "names DNS:old.lan ", 1))
    tls.server.renew()
    assert shown(tls)["serialNumber"] != before


def test_a_name_the_authority_may_not_vouch_for_makes_a_new_one(box: Box) -> None:
    certificate.own(box)
    issuer = certificate.authority(box).read_bytes()
    more = replace(box, web=replace(box.web, hosts=(*box.web.hosts, "phone.shop.example")))
    certificate.own(more)
    assert certificate.authority(more).read_bytes() != issuer
    assert "DNS:phone.shop.example" in certificate.names(more)


@pytest.mark.parametrize(("name", "is_vouched"), [
    ("DNS:deskbell-4f2a.local", True), ("IP:192.168.1.20", True), ("IP:10.9.8.7", True), ("IP:fd12::1", True),
    ("DNS:bank.example", False), ("DNS:local.evil.example", False), ("IP:8.8.8.8", False), ("IP:2001:db8::1", False)])
def test_a_stolen_authority_vouches_for_no_other_site(box: Box, tmp_path: Path, name: str, is_vouched: bool) -> None:
    said = sign(box, name, tmp_path)
    assert (said.returncode == 0) is is_vouched, said.stderr
    assert is_vouched or "permitted subtree violation" in said.stderr


def test_a_box_that_listens_everywhere_has_its_addresses_in_the_certificate(box: Box) -> None:
    here = [address for address in certificate.addresses() if not address.startswith("127.")]
    named = certificate.names(replace(box, web=replace(box.web, listen="0.0.0.0")))
    for address in here:
        assert f"IP:{address}" in named
    assert not auth.host_name() or f"DNS:{auth.host_name()}" in named


def test_whoever_has_no_session_may_fetch_the_authority_and_compare_it(tls: Office) -> None:
    page = ask(tls, "/certificate").read().decode()
    answer = ask(tls, "/ca.crt")
    body = answer.read()
    assert answer.headers["Content-Type"] == "application/x-x509-ca-cert"
    assert body == certificate.der(certificate.authority(tls.box)) and b"PRIVATE" not in body
    digits = re.sub("<[^>]+>", "", page).replace(":", "")
    assert hashlib.sha256(body).hexdigest().upper() in re.sub(r"\s", "", digits)


def test_pages_without_tls_have_no_certificate_to_fetch(tmp_path: Path) -> None:
    office = Office(box_at(tmp_path))
    try:
        for path in ("/ca.crt", "/certificate"):
            assert office.browser(logged_in=False).get(path).status == 404
    finally:
        office.close()
