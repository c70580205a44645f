"""A file that a form sends never fills the disk that the store and the ledger stand on."""
from __future__ import annotations

import io
from pathlib import Path

from web import upload


def sent(folder: Path, size: int) -> upload.Upload:
    """What became of a form with a file of so many bytes, of which a gigabyte was allowed."""
    body = (b'--m\r\nContent-Disposition: form-data; name="token"\r\n\r\nt\r\n--m\r\n'
            b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + bytes(size) + b"\r\n--m--\r\n")
    environ = {"CONTENT_TYPE": "multipart/form-data; boundary=m", "CONTENT_LENGTH": str(len(body)),
               "wsgi.input": io.BytesIO(body)}
    return upload.receive(environ, folder, 1024 ** 3, lambda token: token == "t")


def test_a_file_for_which_there_is_no_room_is_not_begun(small_disk: Path) -> None:
    found = sent(small_disk, 1000)
    assert (found.has_no_room, found.too_big, found.path) == (True, True, None)
    assert list(small_disk.iterdir()) == []


def test_a_file_with_room_beside_it_is_kept(tmp_path: Path) -> None:
    found = sent(tmp_path, 1000)
    assert not found.has_no_room and found.path is not None and found.path.stat().st_size == 1000
