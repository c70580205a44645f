"""Network folders: SMB (a Windows share, a NAS) and SFTP. Imported only when there is one: each library takes 20 MB."""
from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import posixpath
import socket
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from appliance.backup.places import ASIDE, NAME, PlaceError

log = logging.getLogger("backup")

for _talker in ("smbprotocol", "smbclient", "spnego", "paramiko"):    # they log every message and every user's name
    logging.getLogger(_talker).setLevel(logging.ERROR)

CONNECT_S = 10.0
ANSWER_S = 60.0
BUFFER = 1024 * 1024


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    path: str


def address(given: str, port: int) -> Address:
    """host[:port]/folder. Raises PlaceError."""
    bare = given.strip().replace("\\", "/").removeprefix("smb:").removeprefix("sftp:").lstrip("/")
    host, slash, path = bare.partition("/")
    name, colon, number = host.rpartition(":") if host.count(":") == 1 else (host, "", "")
    if colon and not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
        raise PlaceError(f"{given} has a port that there is not. Write it like nas.local/backups.")
    name = name if colon else host
    parts = path.split("/")
    if not name or not slash or not path.strip("/") or ".." in parts or not given.isprintable() or " " in name:
        raise PlaceError(f"{given} is no network folder. Write it like nas.local/backups.")
    return Address(name, int(number) if colon else port, path.rstrip("/"))


class Sftp:
    """A folder reached by SSH. host_key is the key it showed at first ("" before): another one is refused."""

    def __init__(self, given: str, user: str, password: str, host_key: str = "") -> None:
        import paramiko
        self._where = address(given, 22)
        self._client = paramiko.SSHClient()
        name = self._where.host if self._where.port == 22 else f"[{self._where.host}]:{self._where.port}"
        pinned = host_key.partition(" ")
        if host_key:
            self._client.get_host_keys().add(name, pinned[0], paramiko.PKey.from_type_string(
                pinned[0], b64decode(pinned[2])))
        self._client.set_missing_host_key_policy(_Pin(bool(host_key)))
        try:
            self._client.connect(self._where.host, self._where.port, user, password, timeout=CONNECT_S,
                                 banner_timeout=CONNECT_S, auth_timeout=CONNECT_S, allow_agent=False,
                                 look_for_keys=False)
            transport = self._client.get_transport()
            assert transport is not None
            shown = transport.get_remote_server_key()
            self.host_key = f"{shown.get_name()} {shown.get_base64()}"
            self._sftp = self._client.open_sftp()
            channel = self._sftp.get_channel()
            assert channel is not None
            channel.settimeout(ANSWER_S)
            self._make_folder()
        except paramiko.BadHostKeyException as other:
            self._client.close()
            raise PlaceError(self._changed()) from other
        except paramiko.AuthenticationException as refused:
            self._client.close()
            raise PlaceError(f"{self._where.host} did not take the name and password. Type them again.") from refused
        except (OSError, paramiko.SSHException, EOFError) as silent:
            self._client.close()
            if isinstance(silent, _OtherKey):
                raise PlaceError(self._changed()) from silent
            raise PlaceError(_silent(self._where.host, silent)) from silent

    def names(self) -> dict[str, int]:
        with self._said():
            return {row.filename: int(row.st_size or 0) for row in self._sftp.listdir_attr(self._where.path)
                    if NAME.fullmatch(row.filename)}

    @contextmanager
    def put(self, name: str) -> Iterator[BinaryIO]:
        path = self._path(name)
        with self._said():
            try:
                with self._sftp.open(path + ASIDE, "wb", BUFFER) as file:
                    file.set_pipelined(True)
                    yield cast(BinaryIO, file)
                self._sftp.posix_rename(path + ASIDE, path)
            except BaseException:
                with contextlib.suppress(Exception):      # the line may be gone: then a .part stays, and is no backup
                    self._sftp.remove(path + ASIDE)
                raise

    def get(self, name: str) -> BinaryIO:
        with self._said():
            file = self._sftp.open(self._path(name), "rb", BUFFER)
            file.prefetch(file.stat().st_size)
            return cast(BinaryIO, file)

    def remove(self, name: str) -> None:
        with self._said(), contextlib.suppress(FileNotFoundError):
            self._sftp.remove(self._path(name))

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._client.close()

    def _make_folder(self) -> None:
        made = "/" if self._where.path.startswith("/") else ""
        for part in self._where.path.strip("/").split("/"):
            made = posixpath.join(made, part)
            with contextlib.suppress(FileNotFoundError):
                self._sftp.stat(made)
                continue
            self._sftp.mkdir(made)

    def _path(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise PlaceError("That is no name of a backup.")
        return posixpath.join(self._where.path, name)

    def _changed(self) -> str:
        return (f"{self._where.host} shows another key than at first: it may be another machine that would get your "
                "backups. Nothing was sent. If it was set up anew, press Trust its new key.")

    @contextmanager
    def _said(self) -> Iterator[None]:
        import paramiko
        try:
            yield
        except (OSError, paramiko.SSHException, EOFError) as broken:
            raise PlaceError(_silent(self._where.host, broken)) from broken


class _OtherKey(OSError):
    """A key of another kind than the pinned one."""


class _Pin:
    """paramiko's policy for a key it has none to compare with: good the first time, never later."""

    def __init__(self, is_pinned: bool) -> None:
        self._is_pinned = is_pinned

    def missing_host_key(self, _client: object, hostname: str, _key: object) -> None:
        if self._is_pinned:
            raise _OtherKey(f"{hostname} shows a key of another kind")


def fingerprint(host_key: str) -> str:
    """As `ssh-keygen -lf` shows it: SHA256:…"""
    digest = hashlib.sha256(b64decode(host_key.partition(" ")[2])).digest()
    return "SHA256:" + b64encode(digest).decode().rstrip("=")


class Smb:
    """A Windows share or a NAS: host[:port]/share[/folder], SMB 2 or 3, signed."""

    def __init__(self, given: str, user: str, password: str) -> None:
        import smbclient
        self._smb: Any = smbclient
        self._where = address(given, 445)
        self._sessions: dict[str, Any] = {}
        self._options = {"username": user, "password": password, "port": self._where.port,
                         "connection_cache": self._sessions}
        self._folder = "\\\\" + self._where.host + "\\" + self._where.path.strip("/").replace("/", "\\")
        with self._said():
            smbclient.register_session(self._where.host, connection_timeout=CONNECT_S, **self._options)
            if "\\" in self._where.path.replace("/", "\\"):
                smbclient.makedirs(self._folder, exist_ok=True, **self._options)
            smbclient.listdir(self._folder, **self._options)

    def names(self) -> dict[str, int]:
        with self._said():
            return {row.name: int(row.smb_info.end_of_file) for row in self._smb.scandir(self._folder, **self._options)
                    if NAME.fullmatch(row.name)}

    @contextmanager
    def put(self, name: str) -> Iterator[BinaryIO]:
        path = self._path(name)
        with self._said():
            try:
                with self._smb.open_file(path + ASIDE, "wb", buffering=BUFFER, **self._options) as file:
                    yield cast(BinaryIO, file)
                    file.flush()
                self._smb.replace(path + ASIDE, path, **self._options)
            except BaseException:
                with contextlib.suppress(Exception):      # the line may be gone: then a .part stays, and is no backup
                    self._smb.remove(path + ASIDE, **self._options)
                raise

    def get(self, name: str) -> BinaryIO:
        with self._said():
            raw = self._smb.open_file(self._path(name), "rb", buffering=0, share_access="r", **self._options)
            return cast(BinaryIO, io.BufferedReader(raw, BUFFER))

    def remove(self, name: str) -> None:
        from smbprotocol.exceptions import SMBOSError
        with self._said():
            try:
                self._smb.remove(self._path(name), **self._options)
            except SMBOSError as gone:
                if gone.errno != 2:
                    raise

    def free_bytes(self) -> int | None:
        with contextlib.suppress(Exception):              # some shares do not say
            return int(self._smb.stat_volume(self._folder, **self._options).caller_available_size)
        return None

    def close(self) -> None:
        with contextlib.suppress(Exception):              # whoever is gone needs no good-bye
            self._smb.reset_connection_cache(fail_on_error=False, connection_cache=self._sessions)

    def _path(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise PlaceError("That is no name of a backup.")
        return self._folder + "\\" + name

    @contextmanager
    def _said(self) -> Iterator[None]:
        from smbprotocol.exceptions import LogonFailure, SMBException
        from spnego.exceptions import SpnegoError
        try:
            yield
        except (LogonFailure, SpnegoError) as refused:
            raise PlaceError(f"{self._where.host} did not take the name and password. Type them again.") from refused
        except (OSError, SMBException, ValueError) as broken:
            raise PlaceError(_silent(self._where.host, broken)) from broken


def _silent(host: str, broken: Exception) -> str:
    """What a network refused, in words; the log has its own."""
    log.info("%s: %s: %s", host, type(broken).__name__, broken)
    if isinstance(broken, socket.gaierror):
        return f"There is no {host} in this network. Look at its name, or write its address."
    if isinstance(broken, FileNotFoundError) or getattr(broken, "errno", None) == 2:
        return f"{host} answers, but the folder or file is not there."
    if isinstance(broken, PermissionError) or getattr(broken, "errno", None) == 13:
        return f"{host} answers, but does not let this user write there."
    if getattr(broken, "errno", None) == 28:
        return f"{host} is full. Remove old files there, or keep fewer backups."
    return f"{host} did not answer. Switch it on, look at the cable, and press Try."
