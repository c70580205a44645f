"""A backup comes back: which one, its passphrase, what would change, and only then the restore."""
from __future__ import annotations

import secrets as random
from datetime import datetime
from typing import Any

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance.backup import rows
from appliance.backup.job import upload_folder
from appliance.backup.rows import BackupError, Restore
from appliance.backup.secrets import SecretError
from appliance.store import db as store
from web import backups, forms
from web.backups import Teller
from web.office import Office

MOST_BYTES = 64 * 1024**3
STATES = ("proven", "found", "failed")


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/backups/restore", callback=lambda: _page(office), role="owner")
    app.post("/backups/restore", callback=lambda: _from_list(office), role="owner")
    app.post("/backups/upload", callback=lambda: _from_upload(office), role="owner", upload=MOST_BYTES)
    app.post("/backups/restore/<what:re:agree|leave>", callback=lambda what: _turn(office, what), role="owner")


def _page(office: Office, problem: str = "") -> str:
    now, db = office.clock(), office.db
    it = rows.open_restore(db)
    last = rows.last_restore(db)
    shown = it or (last if last and request.query.get("of") == str(last.id) else None)
    before = rows.backup(db, shown.before_id) if shown and shown.before_id and shown.state == "restored" else None
    chosen = forms.asked_id("backup")
    return office.render("restore.html", teller=Teller(office, now), it=shown, is_open=it is not None, before=before,
                         choices=[Teller(office, now).line(one) for one in rows.backups(db)
                                  if one.file and one.state in STATES and one.place_id], chosen=chosen,
                         problem=problem, changed=_changed(shown), percent=backups.percent(shown) if shown else 0,
                         taken_at=_taken(shown), newest=_newest(shown))


def _changed(it: Restore | None) -> list[tuple[str, int, int]]:
    if it is None or not it.preview:
        return []
    tables: dict[str, Any] = it.preview["tables"]
    return [(word, *tables[key]) for key, word in backups.CHANGED if key in tables]


def _taken(it: Restore | None) -> datetime | None:
    return store.parse_time(it.preview["taken_at"]) if it and it.preview else None


def _newest(it: Restore | None) -> datetime | None:
    newest = it.preview["newest_call"] if it and it.preview else None
    return store.parse_time(newest) if newest else None


def _from_list(office: Office) -> str | HTTPResponse:
    return _ask(office, backups.secret("passphrase"), backup_id=forms.row_id("backup"))


def _from_upload(office: Office) -> str | HTTPResponse:
    given = office.upload
    if given.path is None or given.too_big:
        response.status = 400
        return _page(office, office.words("Choose the file of a backup first: its name ends in .tar.zst.age."))
    folder = upload_folder(office.box)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{random.token_hex(8)}.upload"
    given.path.rename(folder / name)
    (folder / name).chmod(0o640)
    return _ask(office, given.fields.get("passphrase", ""), upload=name)


def _ask(office: Office, passphrase: str, backup_id: int | None = None,
         upload: str | None = None) -> str | HTTPResponse:
    assert office.session is not None
    try:
        rows.ask_restore(office.db, office.session.user, office.clock(), passphrase, backup_id=backup_id, upload=upload)
    except (BackupError, SecretError) as refused:
        if upload:
            (upload_folder(office.box) / upload).unlink(missing_ok=True)
        response.status = 400
        return _page(office, office.words(str(refused)))
    return office.done("/backups/restore", office.words("It is being read. Nothing is changed before you say so."))


def _turn(office: Office, what: str) -> HTTPResponse:
    assert office.session is not None
    restore_id, now = forms.row_id(), office.clock()
    try:
        rows.restore(office.db, restore_id)
    except BackupError:
        raise HTTPError(404) from None
    if what == "leave":
        rows.leave(office.db, restore_id, now)
        return office.done("/backups", office.words("Nothing was changed."))
    if not rows.agree(office.db, restore_id, office.session.user, now):
        return office.done("/backups/restore", office.words("It was dealt with already."))
    return office.done(f"/backups/restore?of={restore_id}", office.words("What is here now is kept first, then it is "
                                                                        "restored."))
