#!/usr/bin/env python3
"""Deskbell at a desk: a window rises while the telephone rings, with no browser open.

One file; Python 3.9 or newer with tkinter, nothing else to install. Windows, macOS, Linux.
"""
# It speaks to one box, whose own authority it was shown once and trusts from then on, and to nobody else.
# What comes from the box is shown as text and never run. Two threads: one listens, the other shows.
# ruff: noqa: UP017
from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import locale
import os
import queue
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
import tkinter as tk
import tkinter.font as tkfont
import unicodedata
import webbrowser
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

SILENCE_S = 40            # the box says something every 15 s
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
NOT_LET_IN_WAIT_S = 20.0
LOST_S = 3.0              # a shorter break is not worth a word
SLEPT_S = 5.0             # the clock of the window stood still so long: the computer slept
LOOK_MS = 40
FOLD_S = 4.0              # answered elsewhere: the window folds,
LEAVE_S = 8.0             # and goes so long after the call
MOST_EVENT_BYTES = 1024 * 1024
MOST_ANSWER_BYTES = 256 * 1024
MOST_WINDOWS = 12
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: this computer's clock may be wrong; the authority is ours

LIGHT = {"paper": "#fcfdfa", "paper2": "#f1f4ee", "ink": "#1a2320", "ink2": "#4c5a54", "edge": "#78837c",
         "rule": "#d3d9cf", "accent": "#1c6049", "on_accent": "#ffffff", "soft": "#dbeae2", "slip": "#fbe6e7",
         "slip_ink": "#8c1d39", "brass": "#a87410", "brass_soft": "#f8edd0", "brass_ink": "#6b4a08",
         "answered": "#1c6049", "missed": "#a81f42", "outgoing": "#24518f", "blocked": "#58605c",
         "voicemail": "#683b8e"}
DARK = {"paper": "#1b2220", "paper2": "#242d29", "ink": "#e7ece8", "ink2": "#a7b4ad", "edge": "#84918a",
        "rule": "#343f3a", "accent": "#7fd0ae", "on_accent": "#0b2018", "soft": "#1f3d32", "slip": "#38212a",
        "slip_ink": "#ffb5c2", "brass": "#e0b24e", "brass_soft": "#382f19", "brass_ink": "#f1cf83",
        "answered": "#7fd0ae", "missed": "#ff9db0", "outgoing": "#9fc4ff", "blocked": "#b6bfba",
        "voicemail": "#d2aff3"}

LANGUAGES = ("en", "zh", "ru", "fr")
WORDS = {   # each in the order of LANGUAGES
    "ringing": ("Ringing on {line}", "{line} 来电", "Звонок: {line}", "Appel sur {line}"),
    "ringing_bare": ("Ringing", "来电", "Звонок", "Appel"),
    "calling": ("Calling", "呼出中", "Исходящий звонок", "Appel sortant"),
    "answered": ("{who} answered", "{who} 已接听", "Ответили: {who}", "{who} a répondu"),
    "answered_bare": ("Answered", "已接听", "Ответили", "Répondu"),
    "missed": ("Missed, rang {span}", "未接，响铃 {span}", "Пропущен, звонил {span}", "Manqué, a sonné {span}"),
    "over": ("{what}, {span}", "{what}，{span}", "{what}, {span}", "{what}, {span}"),
    "minutes": ("{m} min {s} s", "{m} 分 {s} 秒", "{m} мин {s} с", "{m} min {s} s"),
    "seconds": ("{s} s", "{s} 秒", "{s} с", "{s} s"),
    "abandoned": ("Left the queue", "排队中挂断", "Не дождался", "A quitté la file"),
    "busy": ("Busy", "占线", "Занято", "Occupé"),
    "rejected": ("Rejected", "已拒接", "Отклонён", "Refusé"),
    "failed": ("Failed", "未接通", "Не удался", "Échoué"),
    "voicemail": ("Voicemail", "语音留言", "Голосовая почта", "Messagerie"),
    "blocked": ("Blocked", "已拦截", "Заблокирован", "Bloqué"),
    "interrupted": ("Cut off", "中断", "Прерван", "Interrompu"),
    "outgoing": ("Outgoing", "呼出", "Исходящий", "Sortant"),
    "withheld": ("Number withheld", "号码隐藏", "Номер скрыт", "Numéro masqué"),
    "unavailable": ("No number came with the call", "来电未附号码", "Номер не передан", "Aucun numéro transmis"),
    "new": ("New caller", "新来电者", "Новый абонент", "Nouvel appelant"),
    "first": ("First call from this number.",
              "此号码首次来电。",
              "Первый звонок с этого номера.",
              "Premier appel de ce numéro."),
    "from": ("{kind}, {region}", "{region}，{kind}", "{kind}, {region}", "{kind}, {region}"),
    "mobile": ("mobile", "手机", "мобильный", "mobile"),
    "landline": ("landline", "固话", "городской", "fixe"),
    "either": ("mobile or landline", "手机或固话", "мобильный или городской", "mobile ou fixe"),
    "service": ("service number", "服务号码", "сервисный номер", "numéro spécial"),
    "vip": ("VIP", "VIP", "VIP", "VIP"),
    "owed": ("Still owed a call. Rang in vain: {n}, last at {at}.",
             "尚未回电。未接 {n} 次，最近一次 {at}。",
             "Ему ещё не перезвонили. Звонил напрасно: {n}, последний раз {at}.",
             "On lui doit un rappel. Appels en vain\u00a0: {n}, le dernier à {at}."),
    "promised": ("Promised: {about}", "已承诺：{about}", "Обещано: {about}", "Promis\u00a0: {about}"),
    "unread": ("Texts not yet read: {n}", "未读短信：{n}", "Непрочитанных SMS: {n}", "SMS non lus\u00a0: {n}"),
    "is_blocked": ("Blocked: {reason}", "已拦截：{reason}", "Заблокирован: {reason}", "Bloqué\u00a0: {reason}"),
    "note": ("Last note, {by}, {at}", "上次备注，{by}，{at}", "Последняя заметка, {by}, {at}",
             "Dernière note, {by}, {at}"),
    "last": ("Last calls", "最近通话", "Последние звонки", "Derniers appels"),
    "card": ("Open card", "打开名片", "Карточка", "Fiche"),
    "make": ("Make a card", "新建名片", "Создать карточку", "Créer une fiche"),
    "text": ("Text back", "回短信", "SMS", "SMS"),
    "write": ("Note", "备注", "Заметка", "Note"),
    "dismiss": ("Dismiss", "关闭", "Закрыть", "Fermer"),
    "connected": ("Connected to {shop}", "已连接到 {shop}", "Есть связь: {shop}", "Relié à {shop}"),
    "connecting": ("Asking the box…", "正在连接…", "Спрашиваем устройство…", "On interroge le boîtier…"),
    "lost": ("No word from the box. Calls still ring on the telephones. This program asks again by itself.",
             "设备无应答。电话仍会响铃。本程序会自动重试。",
             "Устройство не отвечает. Телефоны звонят как прежде. Программа спросит снова сама.",
             "Le boîtier ne répond pas. Les téléphones sonnent toujours. Ce programme redemande de lui-même."),
    "revoked": ("This desk may see no calls any more: it was removed on the page Desks, or its "
                "user may not log in. Pair it again, or ask the owner.",
                "此工位已不能查看来电：它在“工位”页被移除，或其用户已停用。请重新配对，或询问负责人。",
                "Этому месту звонки больше не видны: его удалили на странице «Рабочие места» или "
                "его пользователь отключён. Подключите его заново или спросите владельца.",
                "Ce poste ne voit plus les appels\u00a0: il a été retiré à la page Postes, ou son "
                "utilisateur est désactivé. Reliez-le à nouveau, ou demandez au propriétaire."),
    "stranger": ("Something else answers at this address, not the box this desk was paired with. "
                 "Nothing was told to it. Pair again if the box was set up anew.",
                 "此地址应答的不是已配对的设备，未向其发送任何内容。若设备已重装，请重新配对。",
                 "По этому адресу отвечает не то устройство, с которым вы связаны. Ему ничего не "
                 "сообщено. Если устройство настроили заново, подключитесь снова.",
                 "Autre chose que votre boîtier répond à cette adresse. Rien ne lui a été dit. "
                 "Reliez à nouveau si le boîtier a été réinstallé."),
    "muted": ("Muted: calls show in silence",
              "静音：来电不响不弹出",
              "Без звука: звонки видны тихо",
              "En silence\u00a0: les appels s’affichent sans bruit"),
    "meanwhile": ("Missed meanwhile: {n}",
                  "期间未接：{n}",
                  "Пропущено за это время: {n}",
                  "Manqués entre-temps\u00a0: {n}"),
    "mute": ("Mute", "静音", "Без звука", "Silence"),
    "aloud": ("Aloud", "恢复声音", "Со звуком", "Avec le son"),
    "quit": ("Quit", "退出", "Выйти", "Quitter"),
    "open": ("Open Deskbell", "打开 Deskbell", "Открыть Deskbell", "Ouvrir Deskbell"),
    "history": ("History", "通话记录", "История", "Historique"),
    "again": ("Pair again", "重新配对", "Подключить заново", "Relier à nouveau"),
    "pair": ("Pair this desk", "配对此工位", "Подключить это место", "Relier ce poste"),
    "ask": ("Open the page Desks of your box in a browser and show a code there.",
            "请在浏览器中打开设备的“工位”页，并显示配对码。",
            "Откройте в браузере страницу «Рабочие места» устройства и покажите там код.",
            "Ouvrez la page Postes de votre boîtier dans un navigateur et affichez-y un code."),
    "address": ("Address of the box", "设备地址", "Адрес устройства", "Adresse du boîtier"),
    "code": ("Code, six digits", "六位配对码", "Код, шесть цифр", "Code à six chiffres"),
    "name": ("Name of this desk", "工位名称", "Название места", "Nom de ce poste"),
    "next": ("Next", "下一步", "Далее", "Suivant"),
    "same": ("The page Desks shows these letters too. Are they the same? If not, somebody stands "
             "between: stop here.",
             "“工位”页也显示这些字符。是否一致？若不一致，说明有人冒充：请停止。",
             "Страница «Рабочие места» показывает те же знаки. Они совпадают? Если нет, кто-то "
             "стоит между вами: остановитесь.",
             "La page Postes montre aussi ces lettres. Sont-elles les mêmes\u00a0? Sinon, quelqu’un "
             "s’interpose\u00a0: arrêtez-vous."),
    "yes": ("They are the same", "一致", "Совпадают", "Elles sont identiques"),
    "no": ("They differ", "不一致", "Отличаются", "Elles diffèrent"),
    "bad_code": ("That code is not good: it is wrong, older than ten minutes, or used. Show a new "
                 "one on the page Desks.",
                 "配对码无效：输入有误、超过十分钟或已使用。请在“工位”页显示新的配对码。",
                 "Код не подходит: неверен, старше десяти минут или использован. Покажите новый "
                 "на странице «Рабочие места».",
                 "Ce code n’est pas bon\u00a0: faux, vieux de plus de dix minutes, ou déjà utilisé. "
                 "Affichez-en un nouveau à la page Postes."),
    "too_many": ("Too many wrong tries from here. Wait a few minutes, then show a new code.",
                 "错误次数过多。请等几分钟，再显示新的配对码。",
                 "Слишком много неверных попыток. Подождите несколько минут и покажите новый код.",
                 "Trop d’essais. Attendez quelques minutes, puis affichez un nouveau code."),
    "nobody": ("Nothing answers at this address. Is it the one the page Desks shows, and is this "
               "computer in the same network?",
               "此地址无应答。请核对“工位”页所示地址，并确认本机在同一网络。",
               "По этому адресу никто не отвечает. Тот ли он, что на странице «Рабочие места», и "
               "та ли это сеть?",
               "Rien ne répond à cette adresse. Est-ce celle de la page Postes, et cet ordinateur "
               "est-il sur le même réseau\u00a0?"),
    "running": ("Deskbell runs on this computer already.",
                "Deskbell 已在本机运行。",
                "Deskbell уже работает на этом компьютере.",
                "Deskbell tourne déjà sur cet ordinateur."),
    "plain": ("Only https is good here: without it others in the network could listen.",
              "此处仅可使用 https，否则他人可在网络中窃听。",
              "Здесь годится только https: иначе другие в сети могли бы слушать.",
              "Seul https convient ici\u00a0: sans lui, d’autres sur le réseau pourraient écouter."),
}


class Words:
    def __init__(self, language):
        self.language = language
        self._at = LANGUAGES.index(language)

    def __call__(self, key, **given):
        return WORDS[key][self._at].format(**given)

    def span(self, ms):
        s = round((ms or 0) / 1000)
        return self("minutes", m=s // 60, s=s % 60) if s >= 60 else self("seconds", s=s)


def system_language():
    """The first of our languages that this computer speaks, else English."""
    said = [os.environ.get(name, "") for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    with contextlib.suppress(Exception):             # a language is not worth a failure
        if sys.platform == "win32":
            import ctypes
            said.insert(0, locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), ""))
        elif sys.platform == "darwin":
            said.insert(0, subprocess.run(["defaults", "read", "-g", "AppleLocale"], capture_output=True,
                                          text=True, timeout=3).stdout)
    first = next((one for one in said if one.strip()), "")
    return next((language for language in LANGUAGES if first.strip().lower().startswith(language)), "en")


def system_is_dark():
    with contextlib.suppress(Exception):
        if sys.platform == "win32":
            import winreg
            key = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                return winreg.QueryValueEx(opened, "AppsUseLightTheme")[0] == 0
        if sys.platform == "darwin":
            return "Dark" in subprocess.run(["defaults", "read", "-g", "AppleInterfaceStyle"], capture_output=True,
                                            text=True, timeout=3).stdout
    return False


def plain(text, longest=80):
    """What a window may show of a text from elsewhere: one line, no control, no direction trick, nothing endless."""
    kept = "".join(" " if c.isspace() or unicodedata.category(c)[0] == "C" else
                   "\ufffd" if 0x1F000 <= ord(c) <= 0x1FAFF else c       # some X servers die of picture letters
                   for c in str(text or ""))
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[:longest - 1] + "…"


def settings_file():
    """~/.config/deskbell/desk.json, or where this system keeps such things."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home())
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "deskbell" / "desk.json"


class Kept:
    """What outlives the program, in a file only its owner reads: the box, its authority, our token, where we were."""

    def __init__(self, file):
        self.file = file
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        self.all = found if isinstance(found, dict) else {}
        self._lock = threading.Lock()

    def __getitem__(self, key):
        return self.all.get(key)

    def put(self, **given):
        with self._lock:
            self.all.update(given)
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside = self.file.with_suffix(".new")
            with contextlib.suppress(FileNotFoundError):
                aside.unlink()
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                json.dump(self.all, out, ensure_ascii=False)
                out.flush()
                os.fsync(out.fileno())
            os.replace(aside, self.file)

    def forget(self):
        with self._lock:
            self.all = {}
        with contextlib.suppress(FileNotFoundError):
            self.file.unlink()


class Refused(Exception):
    """The box said no; `status` is HTTP's."""

    def __init__(self, status):
        super().__init__(str(status))
        self.status = status


class Plain(Exception):
    """The address would send our token without a lock on it."""


class Box:
    """One box at the other end. authority: its certificate (PEM), which we trust and no other."""

    def __init__(self, address, authority=None, token=None):
        given = address.strip().rstrip("/")
        parts = urlsplit(given if "://" in given else "https://" + given)
        self.host, self.is_tls = parts.hostname or "", parts.scheme == "https"
        self.port = parts.port or (443 if self.is_tls else 80)
        if not self.host or parts.scheme not in ("http", "https"):
            raise ValueError(address)
        if not self.is_tls and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise Plain(address)
        host = "[" + self.host + "]" if ":" in self.host else self.host
        self.address = f"{parts.scheme}://{host}:{self.port}"
        self.authority, self.token = authority, token

    def connect(self, timeout, is_trusting=False):
        if not self.is_tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False        # the authority vouches for its own box alone, whatever it is called here
        if is_trusting:
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_verify_locations(cadata=self.authority)
            context.verify_flags |= NO_CHECK_TIME
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def ask(self, method, path, form=None, **headers):
        """The JSON of an answer. Raises Refused, OSError, ValueError."""
        connection = self.connect(10)
        try:
            if self.token:
                headers["Authorization"] = "Bearer " + self.token
            body = urlencode(form) if form is not None else None
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read(MOST_ANSWER_BYTES)
            if answer.status != 200:
                raise Refused(answer.status)
            return json.loads(content)
        except http.client.HTTPException as strange:
            raise OSError(str(strange)) from strange
        finally:
            connection.close()

    def introduce(self):
        """Asks for the authority, which nobody vouches for yet, and gives its print: the person compares it."""
        if not self.is_tls:
            return ""
        connection = self.connect(10, is_trusting=True)
        try:
            connection.request("GET", "/ca.crt")
            answer = connection.getresponse()
            der = answer.read(MOST_ANSWER_BYTES)
            if answer.status != 200:
                raise OSError("no authority there")
        except http.client.HTTPException as strange:
            raise OSError(str(strange)) from strange
        finally:
            connection.close()
        self.authority = ssl.DER_cert_to_PEM_cert(der)
        return hashlib.sha256(der).hexdigest().upper()

    def pair(self, code, name):
        """What the box knows of the new desk. The code goes only to who holds the authority that was compared."""
        digits = "".join(letter for letter in code if letter.isdecimal())
        told = self.ask("POST", "/desk/pair", {"name": name}, Authorization="Pairing " + digits)
        self.token = str(told.pop("token"))
        return told


class Listener:
    """The thread that hears the box. `heard` gets ("event", body), or "lost", "out", "stranger" with None."""

    def __init__(self, box, kept, heard):
        self.box, self.kept, self.heard = box, kept, heard
        self.last = kept["last"] if isinstance(kept["last"], int) else None
        self._stop, self._wake = threading.Event(), threading.Event()
        self._line = None
        threading.Thread(target=self._run, name="listener", daemon=True).start()

    def stop(self):
        self._stop.set()
        self.hurry()

    def hurry(self):
        """Asks at once: the computer slept, or somebody pressed a button."""
        self._wake.set()
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)

    def _run(self):
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                self._listen()
                wait_s, pause_s = FIRST_WAIT_S, FIRST_WAIT_S      # it spoke to us before the line broke
            except Refused as refused:
                is_out = refused.status in (401, 403)
                self.heard.put(("out" if is_out else "lost", None))
                pause_s = NOT_LET_IN_WAIT_S if is_out else wait_s
            except ssl.SSLCertVerificationError:
                self.heard.put(("stranger", None))
                pause_s = LONGEST_WAIT_S
            except (OSError, ValueError, AttributeError, http.client.HTTPException):    # also a line we cut ourselves
                self.heard.put(("lost", None))
                pause_s, wait_s = wait_s, min(wait_s * 2, LONGEST_WAIT_S)
            self._wake.wait(pause_s * random.uniform(0.8, 1.2))
            self._wake.clear()

    def _listen(self):
        """Hears the box until the line breaks. Raises when it could not be heard at all."""
        connection = self.box.connect(SILENCE_S)
        try:
            headers = {"Authorization": "Bearer " + self.box.token, "Accept": "text/event-stream"}
            if self.last is not None:
                headers["Last-Event-ID"] = str(self.last)
            connection.request("GET", "/events", headers=headers)
            self._line = connection.sock
            answer = connection.getresponse()
            if answer.status != 200:
                raise Refused(answer.status)
            self._read(answer)
        finally:
            self._line = None
            connection.close()

    def _read(self, answer):
        has_heard, event_id, data = False, None, []
        try:
            while not self._stop.is_set():
                line = answer.readline(MOST_EVENT_BYTES)
                if not line.endswith(b"\n"):
                    break
                line = line.rstrip(b"\r\n").decode("utf-8", "replace")
                if line.startswith("data: "):
                    data.append(line[6:])
                elif line.startswith("id: ") and line[4:].isdecimal():
                    event_id = int(line[4:])
                elif not line and data:
                    body = json.loads("\n".join(data))
                    data, has_heard = [], True
                    if isinstance(body, dict):
                        self.heard.put(("event", body))
                    if event_id is not None and event_id != self.last:
                        self.last = event_id
                        self.kept.put(last=event_id)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            if not has_heard:
                raise
        self.heard.put(("lost", None))


class Look:
    """Colours, fonts and lengths of this screen; every length is in pixels of a 96 dpi screen, times `scale`."""

    def __init__(self, root, is_dark):
        self.colour = DARK if is_dark else LIGHT
        self.scale = min(4.0, max(1.0, root.winfo_fpixels("1i") / 96))
        self.family = tkfont.nametofont("TkDefaultFont").actual("family")
        self.fixed = tkfont.nametofont("TkFixedFont").actual("family")

    def px(self, n):
        return round(n * self.scale)

    def font(self, size, is_bold=False):
        return (self.family, -self.px(size), "bold" if is_bold else "normal")

    def bell(self, parent, colour, ground, size=20):
        """The bell of the desk, drawn: no font has it everywhere."""
        drawn = tk.Canvas(parent, width=self.px(size), height=self.px(size), bg=ground, highlightthickness=0)
        u = self.px(size) / 20
        drawn.create_arc(3 * u, 6 * u, 17 * u, 20 * u, start=0, extent=180, fill=colour, outline=colour)
        drawn.create_rectangle(1.5 * u, 14.5 * u, 18.5 * u, 16.5 * u, fill=colour, outline=colour)
        drawn.create_oval(8.6 * u, 3 * u, 11.4 * u, 5.8 * u, fill=colour, outline=colour)
        return drawn

    def button(self, parent, words, act, is_main=False):
        c = self.colour
        ground, ink, edge = (c["accent"], c["on_accent"], c["accent"]) if is_main else (c["paper"], c["ink"], c["edge"])
        made = tk.Label(parent, text=words, font=self.font(14, True), bg=ground, fg=ink, cursor="hand2", takefocus=1,
                        highlightthickness=self.px(2), highlightbackground=edge, highlightcolor=c["brass"],
                        padx=self.px(8), pady=self.px(8))
        for press in ("<Button-1>", "<Return>", "<space>"):
            made.bind(press, lambda _: act())
        return made


class Pop:
    """The window of one call."""

    def __init__(self, app, call):
        self.app, self.call, self.look, self.words = app, call, app.look, app.words
        self.is_unfolded = self.has_been_answered_here = False
        self.turned_s = time.monotonic()
        edge = self.look.px(2)
        self.window = window = tk.Toplevel(app.root, class_="Deskbell", padx=edge, pady=edge,
                                           bg=self.look.colour["brass"])
        window.withdraw()
        window.title("Deskbell")
        self._undecorate()
        for key in ("<Escape>", "<Delete>"):
            window.bind(key, lambda _: app.dismiss(self))
        window.bind("<Key-m>", lambda _: app.mute())
        window.bind("<Key-Return>", lambda press: app.open_card(self) if press.widget is window else None)
        window.bind("<Button-1>", self._pressed, add="+")
        self.build()

    def _undecorate(self):
        if self.window.tk.call("tk", "windowingsystem") == "aqua":
            with contextlib.suppress(tk.TclError):
                self.window.tk.call("::tk::unsupported::MacWindowStyle", "style", self.window, "plain", "noActivates")
        else:
            self.window.overrideredirect(True)
        if sys.platform == "win32":
            with contextlib.suppress(Exception):       # it takes no focus from who types: WS_EX_NOACTIVATE, no task bar
                import ctypes
                self.window.update_idletasks()
                handle = ctypes.windll.user32.GetParent(self.window.winfo_id())
                style = ctypes.windll.user32.GetWindowLongW(handle, -20)
                ctypes.windll.user32.SetWindowLongW(handle, -20, style | 0x08000000 | 0x80)

    def _pressed(self, _):
        """Who clicks it may type at it; until then the focus stays where it was."""
        self.window.focus_force()
        if self.is_folded:
            self.is_unfolded = True
            self.build()
            self.app.arrange()

    @property
    def rings(self):
        return self.call.get("state") == "ringing"

    @property
    def has_answer(self):
        return self.call.get("state") == "talking" or self.call.get("outcome") == "answered"

    @property
    def is_mine(self):
        mine = self.app.me.get("extension")
        return bool(mine) and self.call.get("extension_number") == mine

    @property
    def is_folded(self):
        if self.is_unfolded:
            return False
        is_late = self.has_answer and not self.is_mine and time.monotonic() - self.turned_s > FOLD_S
        return is_late or self.app.pops[:1] not in ([self], [])

    @property
    def is_over(self):
        return (self.call.get("state") == "ended" and self.has_answer and not self.is_mine and not self.is_unfolded
                and time.monotonic() - self.turned_s > LEAVE_S)

    def update(self, call):
        has_turned = call.get("state") != self.call.get("state")
        for told in ("last", "card", "before", "owed", "promised", "unread"):     # told while it lives, kept after
            if not call.get(told) and call.get("state") == "ended":
                call[told] = self.call.get(told)
        self.call = call
        if has_turned:
            self.turned_s = time.monotonic()
        self.build()

    def who(self):
        call = self.call
        if self.is_new:
            return self.words("new")
        return plain(call.get("name") or call.get("shown") or "", 60) or self.words(
            "withheld" if call.get("presentation") == "withheld" else "unavailable")

    @property
    def is_new(self):
        call = self.call
        return bool(call.get("number")) and not call.get("contact") and not call.get("name") and not call.get("last")

    def build(self):
        """Writes the window anew; it is small, and nobody types in it."""
        for child in self.window.winfo_children():
            child.destroy()
        self.sheet = tk.Frame(self.window, bg=self.look.colour["paper"])
        self.sheet.pack(fill="both", expand=True)
        self.was_folded = self.is_folded
        self._head()
        self._name()
        if not self.was_folded:
            for part in (self._labels, self._bands, self._note, self._last, self._buttons):
                part()

    def _head(self):
        c, look = self.look.colour, self.look
        ground, ink = (c["soft"], c["answered"]) if self.has_answer else (c["slip"], c["slip_ink"]) \
            if self.call.get("state") == "ended" else (c["brass_soft"], c["brass_ink"])
        head = tk.Frame(self.sheet, bg=ground, padx=look.px(14), pady=look.px(8))
        head.pack(fill="x")
        look.bell(head, c["brass"] if self.rings else ink, ground).pack(side="left")
        close = tk.Label(head, text="×", font=look.font(22), bg=ground, fg=ink, cursor="hand2", padx=look.px(6))
        close.pack(side="right")
        close.bind("<Button-1>", lambda _: self.app.dismiss(self))
        self.timer = tk.Label(head, text="", font=look.font(15, True), bg=ground, fg=ink)
        self.timer.pack(side="right", padx=look.px(6))
        self._line(head, self.state(), 15, ink, True, ground).pack(side="left", padx=look.px(8))
        self.tick()

    def tick(self):
        began_s = self.call.get("began_s", time.monotonic())
        s = max(0, int(time.monotonic() - began_s))
        shown = "" if self.call.get("state") == "ended" else f"{s // 60}:{s % 60:02}"
        if self.timer.cget("text") != shown:
            self.timer.configure(text=shown)

    def state(self):
        call, words = self.call, self.words
        line, outcome = plain(call.get("trunk"), 24), call.get("outcome") or ""
        if self.rings:
            if call.get("direction") == "out":
                return words("calling")
            return words("ringing", line=line) if line else words("ringing_bare")
        if call.get("state") == "talking":
            who = plain(call.get("extension"), 24)
            return words("answered", who=who) if who else words("answered_bare")
        return self._outcome(call, outcome)

    def _outcome(self, call, outcome):
        words = self.words
        if call.get("direction") == "out":
            return words("over", what=words("outgoing"), span=words.span(call.get("talk_ms") or call.get("ring_ms")))
        if outcome == "missed":
            return words("missed", span=words.span(call.get("ring_ms")))
        if outcome == "answered":
            who = plain(call.get("extension"), 24)
            what = words("answered", who=who) if who else words("answered_bare")
            return words("over", what=what, span=words.span(call.get("talk_ms")))
        return words(outcome) if outcome in WORDS else plain(outcome)

    def _line(self, parent, text, size, ink, is_bold=False, ground=None, most=None):
        """One text, as text: nothing in it is a command."""
        return tk.Label(parent, text=text, font=self.look.font(size, is_bold), fg=ink, justify="left", anchor="w",
                        bg=ground or self.look.colour["paper"], wraplength=most or 0)

    def _name(self):
        c, look, call = self.look.colour, self.look, self.call
        top = tk.Frame(self.sheet, bg=c["paper"], padx=look.px(18), pady=look.px(8 if self.was_folded else 12))
        top.pack(fill="x")
        who = self.who()
        size = (18 if self.was_folded else 30 if len(who) < 24 else 22)
        self._line(top, who, size, c["ink"], True, most=look.px(372)).pack(anchor="w")
        row = tk.Frame(top, bg=c["paper"])
        row.pack(fill="x")
        number = plain(call.get("shown"), 40) if call.get("name") or self.is_new else ""
        if number:
            self._line(row, number, 15 if self.was_folded else 19, c["ink"]).pack(side="left")
        if not self.was_folded and self.origin():
            self._line(row, self.origin(), 13, c["ink2"]).pack(side="left", padx=look.px(8 if number else 0))

    def origin(self):
        call, region = self.call, self.call.get("region")
        where = plain(region.get(self.words.language) or region.get("en"), 40) if isinstance(region, dict) else ""
        kind = call.get("number_kind")
        kind = self.words(kind) if kind in ("mobile", "landline", "either", "service") else ""
        return self.words("from", kind=kind, region=where) if kind and where else kind or where

    def _labels(self):
        c, look = self.look.colour, self.look
        card = self.call.get("card") or {}
        labels = [("★ " + self.words("vip"), c["brass_soft"], c["brass_ink"])] if card.get("is_vip") else []
        labels += [(plain(one, 24), c["paper2"], c["ink2"])
                   for one in [card.get("company"), *(card.get("labels") or [])] if one]
        row = width = None
        for text, ground, ink in labels[:7]:
            wide = tkfont.Font(font=look.font(13)).measure(text) + look.px(24)
            if row is None or width + wide > look.px(384):
                row, width = tk.Frame(self.sheet, bg=c["paper"], padx=look.px(18)), 0
                row.pack(fill="x", pady=(0, look.px(6)))
            width += wide
            tk.Label(row, text=text, font=look.font(13), bg=ground, fg=ink, padx=look.px(7), pady=look.px(2)).pack(
                side="left", padx=(0, look.px(6)))

    def _bands(self):
        call, words = self.call, self.words
        card, owed, said = call.get("card") or {}, call.get("owed") or {}, []
        if card.get("is_blocked"):
            reason = plain(card.get("blocked_reason"), 120)
            said.append(words("is_blocked", reason=reason) if reason else words("blocked"))
        if owed:
            said.append(words("owed", n=int(owed.get("times") or 0), at=self.app.when(owed.get("at"))))
        said += [words("promised", about=plain(one.get("about"), 120)) for one in (call.get("promised") or [])[:2]]
        if call.get("unread"):
            said.append(words("unread", n=int(call["unread"].get("count") or 0)))
        if said:
            c, look = self.look.colour, self.look
            band = tk.Frame(self.sheet, bg=c["slip"], padx=look.px(18), pady=look.px(9))
            band.pack(fill="x")
            for text in said:
                self._line(band, text, 14, c["slip_ink"], True, c["slip"], look.px(380)).pack(anchor="w")

    def _part(self, title):
        c, look = self.look.colour, self.look
        tk.Frame(self.sheet, bg=c["rule"], height=1).pack(fill="x")
        part = tk.Frame(self.sheet, bg=c["paper"], padx=look.px(18), pady=look.px(8))
        part.pack(fill="x")
        if title:
            self._line(part, title, 13, c["ink2"], True).pack(anchor="w", pady=(0, look.px(2)))
        return part

    def _note(self):
        before, look = self.call.get("before") or {}, self.look
        if before.get("text"):
            part = self._part(self.words("note", by=plain(before.get("by"), 30), at=self.app.when(before.get("at"))))
            tk.Frame(part, bg=look.colour["slip_ink"], width=look.px(2)).pack(side="left", fill="y")
            self._line(part, plain(before["text"], 220), 14, look.colour["ink"], most=look.px(370)).pack(
                side="left", padx=look.px(10))

    def _last(self):
        c, past = self.look.colour, (self.call.get("last") or [])[:3]
        if past:
            part = self._part(self.words("last"))
            for one in past:
                row = tk.Frame(part, bg=c["paper"])
                row.pack(fill="x")
                outcome = str(one.get("outcome") or "")
                is_out = one.get("direction") == "out"
                colour = c["outgoing"] if is_out else c.get(outcome, c["ink2"])
                self._line(row, "↗" if is_out else "↙", 15, colour, True).pack(side="left")
                self._line(row, self._outcome(one, outcome), 14, c["ink"]).pack(side="left", padx=self.look.px(8))
                self._line(row, self.app.when(one.get("started_at")), 13, c["ink2"]).pack(side="right")
        elif self.is_new:
            self._line(self._part(""), self.words("first"), 14, c["ink"]).pack(anchor="w")

    def _buttons(self):
        part, call, words, look = self._part(""), self.call, self.words, self.look
        acts = [(words("card" if call.get("contact_id") else "make"), lambda: self.app.open_card(self), True)]
        if call.get("contact_id") is None and not call.get("number"):
            acts = []
        if call.get("takes_texts") and call.get("number"):
            acts.append((words("text"), lambda: self.app.open_text(self), False))
        acts.append((words("write"), lambda: self.app.open_call(self), False))
        for place, (said, act, is_main) in enumerate(acts):
            part.columnconfigure(place, weight=1, uniform="acts")
            made, gap = look.button(part, said, act, is_main), look.px(3)
            made.grid(row=0, column=place, sticky="ew", padx=gap, pady=gap)


class Desk:
    """The program: its own small window, the windows of the calls, and what it knows of itself."""

    def __init__(self, root, kept, look, words, is_quiet=False):
        self.root, self.kept, self.look, self.words = root, kept, look, words
        self.pops, self.closed, self.meanwhile = [], [], set()
        self.me = dict(kept["me"] or {})
        self.wanted_mute = None                   # what was pressed here and the box has not heard yet
        self.has_slept = False                    # what was told meanwhile rings no more, perhaps; "now" says what does
        self.state, self.lost_s, self.ahead_s = "connecting", None, 0.0
        self.heard, self.listener, self.box = queue.Queue(), None, None
        self._looked_s, self._looked_wall_s, self._shown = time.monotonic(), time.time(), None
        root.configure(bg=look.colour["paper"])
        root.title("Deskbell")
        root.resizable(False, False)
        root.protocol("WM_DELETE_WINDOW", root.iconify)       # closed by habit it would be missed; Quit quits
        root.bind("<F2>", lambda _: self.pops and self.pops[0].window.focus_force())
        root.bind("<Escape>", lambda _: self.pops and self.dismiss(self.pops[0]))
        self.sheet = tk.Frame(root, bg=look.colour["paper"])
        self.sheet.pack(fill="both", expand=True)
        if kept["token"]:
            self.begin()
            if is_quiet:
                root.iconify()
        else:
            self.ask_for_box()
        self._tick()
        self._look()

    # Pairing

    def ask_for_box(self, problem="", given=None):
        """The first page: where the box is, the code, and how this desk is called."""
        given = given or {"address": self.kept["address"] or "", "code": "", "name": socket.gethostname().split(".")[0]}
        self._stop_listening()
        sheet, c = self._new_sheet(), self.look.colour
        self._text(sheet, self.words("pair"), 21, True)
        self._text(sheet, self.words("ask"), 14, ink=c["ink2"])
        if problem:
            self._text(sheet, self.words(problem), 14, True, c["slip_ink"], c["slip"])
        fields = {}
        for name in ("address", "code", "name"):
            self._text(sheet, self.words(name), 14, True, below=2)
            entry = tk.Entry(sheet, font=self.look.font(16), bg=c["paper"], fg=c["ink"], relief="flat", width=34,
                             insertbackground=c["ink"], highlightthickness=self.look.px(2),
                             highlightbackground=c["edge"], highlightcolor=c["accent"])
            entry.insert(0, given[name])
            entry.pack(fill="x", pady=(0, self.look.px(10)), ipady=self.look.px(5))
            entry.bind("<Return>", lambda _: press())
            entry.bind("<Control-a>", lambda at: at.widget.select_range(0, "end") or "break")
            fields[name] = entry
        next((entry for entry in fields.values() if not entry.get()), fields["code"]).focus_set()

        def press():
            self.introduce({name: entry.get().strip() for name, entry in fields.items()})
        self.look.button(sheet, self.words("next"), press, True).pack(anchor="w")

    def introduce(self, given):
        try:
            box = Box(given["address"])
        except Plain:
            return self.ask_for_box("plain", given)
        except ValueError:
            return self.ask_for_box("nobody", given)
        self._wait()

        def known(digest, failed):
            if failed:
                self.ask_for_box("nobody", given)
            elif digest:
                self.compare(box, digest, given)
            else:
                self.pair(box, given)
        self.aside(box.introduce, known)

    def compare(self, box, digest, given):
        """The print of the authority, as the page Desks shows it: only a person can say that they are the same."""
        sheet, c = self._new_sheet(), self.look.colour
        self._text(sheet, self.words("pair"), 21, True)
        self._text(sheet, self.words("same"), 14)
        parts = [digest[at:at + 4] for at in range(0, len(digest), 4)]
        shown = "\n".join("  ".join(parts[at:at + 8]) for at in range(0, len(parts), 8))
        tk.Label(sheet, text=shown, font=(self.look.fixed, -self.look.px(15), "bold"), bg=c["paper2"], fg=c["ink"],
                 padx=self.look.px(10), pady=self.look.px(10), justify="left").pack(anchor="w", pady=self.look.px(8))
        row = tk.Frame(sheet, bg=c["paper"])
        row.pack(anchor="w")
        same = self.look.button(row, self.words("yes"), lambda: self.pair(box, given), True)
        same.pack(side="left", padx=(0, self.look.px(8)))
        self.look.button(row, self.words("no"), lambda: self.ask_for_box("", given)).pack(side="left")
        same.focus_set()

    def pair(self, box, given):
        self._wait()

        def paired(told, failed):
            if isinstance(failed, Refused):
                said = {403: "bad_code", 429: "too_many"}.get(failed.status, "nobody")
                return self.ask_for_box(said, {**given, "code": ""})
            if failed:
                return self.ask_for_box("nobody", given)
            self.me = told
            self.kept.put(address=box.address, authority=box.authority, token=box.token, me=told, last=None)
            self.begin()
        self.aside(lambda: box.pair(given["code"], given["name"]), paired)

    # The window that is always there

    def begin(self):
        self._stop_listening()
        self.box = Box(self.kept["address"], self.kept["authority"], self.kept["token"])
        self.state = "connecting"
        self.listener = Listener(self.box, self.kept, self.heard)
        self.show_state()

    def show_state(self):
        """State, what was missed meanwhile, and the three things one does here; written anew when any of it changed."""
        if self.listener is None:
            return
        state = "muted" if self.state == "connected" and self.is_muted else self.state
        now = (state, self.is_muted, len(self.meanwhile), self.me.get("name"), self.me.get("shop"))
        if now == self._shown:
            return
        c, words, name = self.look.colour, self.words, plain(self.me.get("name"), 40)
        said = words({"out": "revoked"}.get(state, state), **({"shop": plain(self.me.get("shop"), 40)}
                                                              if state == "connected" else {}))
        self.root.title("Deskbell · " + name + ("" if state == "connected" else " · " + plain(said, 60)))
        tone = {"connected": c["accent"], "muted": c["blocked"], "connecting": c["blocked"]}.get(state, c["slip_ink"])
        self._icon(tone)
        sheet = self._new_sheet()
        self._shown = now
        row = tk.Frame(sheet, bg=c["paper"])
        row.pack(fill="x", pady=(0, self.look.px(10)))
        self.look.bell(row, tone, c["paper"], 24).pack(side="left", anchor="n")
        beside = tk.Frame(row, bg=c["paper"])
        beside.pack(side="left", padx=self.look.px(10))
        self._text(beside, name, 15, True, below=0)
        self._text(beside, said, 14, ink=c["slip_ink"] if state in ("lost", "out", "stranger") else c["ink2"], below=0)
        if self.meanwhile:
            self._text(sheet, words("meanwhile", n=len(self.meanwhile)), 14, True, c["slip_ink"], c["slip"])
        acts = tk.Frame(sheet, bg=c["paper"])
        acts.pack(fill="x")
        shown = [(words("again"), self.pair_again)] if state in ("out", "stranger") else [
            (words("aloud" if self.is_muted else "mute"), self.mute),
            (words("history" if self.meanwhile else "open"), self.open_box)]
        for said, act in [*shown, (words("quit"), self.quit)]:
            self.look.button(acts, said, act).pack(side="left", padx=(0, self.look.px(8)))
        acts.winfo_children()[0].focus_set()

    def pair_again(self):
        self.kept.put(token=None)
        self.ask_for_box()

    @property
    def is_muted(self):
        return bool(self.me.get("is_muted") if self.wanted_mute is None else self.wanted_mute)

    def mute(self):
        """Silence here and on the page; at once, also when the box does not hear it yet."""
        self.wanted_mute = not self.is_muted
        for pop in self.pops:
            self._raise(pop)
        self.show_state()
        self._tell_mute()

    def _tell_mute(self):
        wanted = self.wanted_mute

        def told(me, failed):
            if not failed and self.wanted_mute is wanted:
                self.me, self.wanted_mute = me, None
                self.show_state()
        self.aside(lambda: self.box.ask("POST", "/desk/mute", {"is_muted": "1" if wanted else "0"}), told)

    def quit(self):
        self._stop_listening()
        self.root.destroy()

    # The calls

    def take(self, what, body):
        """One thing that was heard."""
        if what == "event":
            self.lost_s, self.state = None, "connected"
            if body.get("kind") == "now":
                self.has_slept = False
                self._now(body)
            elif body.get("state") and not (self.has_slept and body.get("state") == "ringing"):
                self.update(body, body.get("kind"))
        elif what == "lost":
            self.lost_s = self.lost_s or time.monotonic()
        else:
            self.state, self.lost_s = what, None
            for pop in list(self.pops):
                self.dismiss(pop)                          # it may know no more of them
        self.show_state()

    def _now(self, body):
        """The truth: what rings and talks, and whether we are muted."""
        living = {call.get("call_id") for call in body.get("calls") or []}
        with contextlib.suppress(ValueError, TypeError):
            told = datetime.strptime(str(body.get("at"))[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
            self.ahead_s = time.time() - told.timestamp()   # how far this computer's clock is from the box's
        if self.wanted_mute is not None and self.wanted_mute is not bool(body.get("is_muted")):
            self._tell_mute()
        else:
            self.me["is_muted"], self.wanted_mute = bool(body.get("is_muted")), None
        for pop in list(self.pops):
            if pop.call.get("state") != "ended" and pop.call.get("call_id") not in living:
                self._take_away(pop)
        for call in body.get("calls") or []:
            self.update(call, "now")
        self.aside(lambda: self.box.ask("GET", "/desk/me"), self._met)

    def _met(self, me, failed):
        if not failed:
            self.me = {**me, "is_muted": self.me.get("is_muted")}
            self.kept.put(me=self.me)
            self.show_state()

    def update(self, call, kind):
        call_id = call.get("call_id")
        call["began_s"] = time.monotonic() - int(call.get("age_ms") or 0) / 1000
        pop = next((pop for pop in self.pops if pop.call.get("call_id") == call_id), None)
        if pop:
            pop.update(call)
        elif call_id in self.closed:
            return
        elif call.get("state") == "ringing":
            is_mine = call.get("direction") == "out" and call.get("extension_number") == self.me.get("extension")
            if call.get("direction") != "in" and not (is_mine and self.me.get("extension")):
                return
            self.pops.append(Pop(self, call))
            if not self.is_muted and call.get("direction") == "in":
                self.root.bell()
        else:
            if kind == "ended" and call.get("outcome") == "missed" and call.get("direction") == "in":
                self.meanwhile.add(call_id)
            return
        self.pops.sort(key=lambda one: (not one.rings, -int(one.call.get("call_id") or 0)))
        for old in self.pops[MOST_WINDOWS:]:
            self._take_away(old)
        self.arrange()

    def dismiss(self, pop):
        self.closed = [pop.call.get("call_id"), *self.closed][:200]
        self._take_away(pop)
        self.arrange()

    def _take_away(self, pop):
        if pop in self.pops:
            self.pops.remove(pop)
        pop.window.destroy()

    def arrange(self):
        """A stack at the lower right, newest on top; a full one goes on to its left. None covers another."""
        px, root = self.look.px, self.root
        wide, gap = px(424), px(10)
        x, bottom = root.winfo_screenwidth() - wide - px(24), root.winfo_screenheight() - px(56)
        y = bottom
        for pop in reversed(self.pops):
            if pop.was_folded != pop.is_folded:
                pop.build()
            pop.window.update_idletasks()
            high = pop.window.winfo_reqheight()
            if y - high < px(8) and y != bottom:
                x, y = max(0, x - wide - gap), bottom
            y -= high
            pop.window.geometry(f"{wide}x{high}+{x}+{max(0, y)}")
            y -= gap
            if pop.window.state() == "withdrawn":
                pop.window.deiconify()
                self._raise(pop)

    def _raise(self, pop):
        """Over everything while it is aloud; a muted desk finds it behind what is being worked on."""
        with contextlib.suppress(tk.TclError):
            pop.window.attributes("-topmost", not self.is_muted)
        if self.is_muted:
            pop.window.lower()
        else:
            pop.window.lift()

    def when(self, iso):
        """A time of the box as this desk says it: the hour today, else the day."""
        try:
            at = datetime.strptime(str(iso)[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).astimezone()
        except (ValueError, OverflowError, OSError):
            return ""
        now = datetime.fromtimestamp(time.time() - self.ahead_s, timezone.utc).astimezone()
        if at.date() == now.date():
            return f"{at:%H:%M}"
        return f"{at.year}-{at.month:02}-{at.day:02}" if at.year != now.year else f"{at.day}.{at.month:02}."

    def open_card(self, pop):
        call = pop.call
        if call.get("contact_id"):
            self._open("/customer/" + quote(str(call["contact_id"]), safe=""))
        elif call.get("number") and call.get("presentation") == "allowed":
            self._open("/customers/new?number=" + quote(str(call["number"]), safe=""))
        else:
            self.open_call(pop)

    def open_text(self, pop):
        self._open("/texts/with?number=" + quote(str(pop.call.get("number")), safe=""))

    def open_call(self, pop):
        self._open(f"/call/{int(pop.call.get('call_id') or 0)}#note")

    def open_box(self):
        self._open("/history" if self.meanwhile else "/")
        self.meanwhile.clear()
        self.show_state()

    def _open(self, path):
        self.aside(lambda: webbrowser.open(self.box.address + path), lambda _, failed: None)

    # Under the bonnet

    def aside(self, work, done):
        """Runs `work` beside the window; done(result, failed) comes back to it."""
        def run():
            try:
                self.heard.put(("done", (done, work(), None)))
            except Exception as failed:      # whatever it is, the window says so in words
                self.heard.put(("done", (done, None, failed)))
        threading.Thread(target=run, daemon=True).start()

    def _look(self):
        """Takes what the other threads heard."""
        self._mind_the_gap()
        with contextlib.suppress(queue.Empty):
            while True:
                what, body = self.heard.get_nowait()
                self._mind_the_gap()                 # it may have fallen asleep right here
                if what == "done":
                    done, result, failed = body
                    done(result, failed)
                elif self.listener:
                    self.take(what, body)
        self.root.after(LOOK_MS, self._look)

    def _mind_the_gap(self):
        """A step that comes far too late means that the computer slept."""
        gap_s = max(time.monotonic() - self._looked_s, time.time() - self._looked_wall_s)
        self._looked_s, self._looked_wall_s = time.monotonic(), time.time()
        if gap_s > SLEPT_S and self.listener:
            self.has_slept = True
            self.listener.hurry()

    def _tick(self):
        if self.lost_s and time.monotonic() - self.lost_s > LOST_S and self.state != "lost":
            self.state = "lost"
            self.show_state()
        for pop in list(self.pops):
            if pop.is_over:
                self.dismiss(pop)
            elif pop.was_folded != pop.is_folded:
                self.arrange()
            else:
                pop.tick()
        self.root.after(250, self._tick)

    def _stop_listening(self):
        if self.listener:
            self.listener.stop()
            self.listener, self.heard = None, queue.Queue()
        for pop in list(self.pops):
            self._take_away(pop)

    def _new_sheet(self):
        self._shown = None
        for child in self.sheet.winfo_children():
            child.destroy()
        inner = tk.Frame(self.sheet, bg=self.look.colour["paper"], padx=self.look.px(18), pady=self.look.px(14))
        inner.pack(fill="both", expand=True)
        return inner

    def _wait(self):
        self._text(self._new_sheet(), self.words("connecting"), 15)

    def _text(self, parent, text, size, is_bold=False, ink=None, ground=None, below=10):
        c, look = self.look.colour, self.look
        tk.Label(parent, text=text, font=look.font(size, is_bold), fg=ink or c["ink"], bg=ground or c["paper"],
                 wraplength=look.px(400), justify="left", anchor="w", padx=look.px(8 if ground else 0),
                 pady=look.px(6 if ground else 0)).pack(fill="x", anchor="w", pady=(0, look.px(below)))

    def _icon(self, colour):
        """The bell in the task bar, in the colour of the state."""
        size = 32
        image = tk.PhotoImage(width=size, height=size)
        for y in range(size):
            for x in range(size):
                dome = (x - 15.5) ** 2 + (y - 23) ** 2 < 132 and y < 23
                if dome or (24 <= y < 28 and 3 <= x < 29) or (x - 15.5) ** 2 + (y - 8) ** 2 < 7:
                    image.put(colour, (x, y))
        self._image = image
        self.root.iconphoto(True, image)


def alone(file):
    """A lock that lives as long as this program; None when another copy has it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = open(file.with_suffix(".lock"), "a+b")      # noqa: SIM115 — it stays open
    try:
        try:
            import fcntl
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            import msvcrt
            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        lock.close()
        return None
    return lock


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quiet", action="store_true", help="start as an icon in the task bar")
    parser.add_argument("--language", choices=LANGUAGES, default=None, help="instead of the system's")
    parser.add_argument("--theme", choices=("light", "dark"), default=None, help="instead of the system's")
    parser.add_argument("--settings", type=Path, default=settings_file(), metavar="FILE", help="default: %(default)s")
    parser.add_argument("--forget", action="store_true", help="forget the box and its token, and end")
    asked = parser.parse_args(given)
    kept, words = Kept(asked.settings), Words(asked.language or system_language())
    if asked.forget:
        kept.forget()
        return 0
    lock = alone(asked.settings)
    if lock is None:
        print(words("running"), file=sys.stderr)
        return 1
    if sys.platform == "win32":
        with contextlib.suppress(Exception):      # sharp on dense screens, where Windows offers it
            import ctypes
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
    root = tk.Tk(className="Deskbell")
    Desk(root, kept, Look(root, system_is_dark() if asked.theme is None else asked.theme == "dark"), words, asked.quiet)
    root.mainloop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
