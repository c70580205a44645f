"""The process in which libgammu works for hw.gammu_backend: JSON lines in, JSON lines out.

python3 -m hw.gammu_process PORT     A question has an id and a verb; answers bear the id, what comes unasked has none.
libgammu may hang for 100 s or crash (both were measured): here it takes nobody with it.
"""
from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import tempfile
from typing import Any, TextIO

import gammu

POLL_S = 0.1
VALIDITY = "24H"


class Refused(Exception):
    """A definite no of our own: nothing was sent."""


class Phone:
    """One StateMachine, and what it has told that nobody has asked for yet."""

    def __init__(self, port: str, out: TextIO) -> None:
        self._machine = gammu.StateMachine()
        with tempfile.NamedTemporaryFile("w", suffix=".gammurc") as file:  # after SetConfig() gammu 1.45 hears no texts
            file.write(f"[gammu]\ndevice = {port}\nconnection = at115200\n")
            file.flush()
            self._machine.ReadConfig(0, 0, file.name)
        self._out = out
        self._smsc = ""
        self._told: set[int] = set()  # places whose text was handed over
        self._has_news = False
        self._is_listening = False

    def say(self, **words: Any) -> None:
        self._out.write(json.dumps(words) + "\n")
        self._out.flush()

    def poll(self) -> None:
        """Lets gammu read what came."""
        if not self._is_listening:
            return
        self._machine.ReadDevice(False)
        if self._has_news:
            self._has_news = False
            for sms in self._every():
                if sms["place"] not in self._told:
                    self._told.add(sms["place"])
                    self.say(event="text", **sms)

    # verbs

    def open(self) -> None:
        self._machine.Init()

    def status(self) -> dict[str, Any]:
        try:
            asks = self._machine.GetSecurityStatus()
        except gammu.ERR_NOSIM:
            return {"asks": "NO SIM"}
        if asks is not None:
            return {"asks": asks}
        self._listen()
        network, room = self._machine.GetNetworkInfo(), self._machine.GetSMSStatus()
        with contextlib.suppress(gammu.GSMError):
            return {"asks": None, "state": network["State"], "operator": network["NetworkName"],
                    "signal_dbm": self._machine.GetSignalQuality()["SignalStrength"],
                    "is_full": 0 < room["SIMSize"] <= room["SIMUsed"]}
        return {"asks": None, "state": network["State"], "operator": network["NetworkName"], "signal_dbm": None,
                "is_full": False}

    def send(self, pdu: str) -> int:
        """The reference. Raises Refused before anything was sent; any GSMError after it may have gone."""
        sms = gammu.DecodePDU(bytes.fromhex(pdu), True)
        if sms["Coding"] == "Unicode_No_Compression":  # gammu 1.45 doubles ~ and cuts as many letters off the end
            words = bytes.fromhex(pdu)[-_body(pdu):].decode("utf-16-be")
            sms["Text"], sms["Length"] = words.replace("~", "~~"), len(words.encode("utf-16-be")) // 2
        sms["Type"] = "Status_Report" if int(pdu[2:4], 16) & 0x20 else "Submit"
        sms["SMSC"] = {"Number": "", "Validity": VALIDITY}
        if gammu.EncodePDU(sms)[-_body(pdu):] != bytes.fromhex(pdu)[-_body(pdu):]:
            raise Refused("gammu cannot send this text as it is written")
        sms["SMSC"] = {"Number": self._centre(), "Validity": VALIDITY}
        return int(self._machine.SendSMS(sms))

    def stored(self) -> list[dict[str, Any]]:
        texts = list(self._every())
        self._told |= {sms["place"] for sms in texts}
        return texts

    def forget(self, place: int) -> None:
        self._told.discard(place)
        with contextlib.suppress(gammu.ERR_EMPTY):
            self._machine.DeleteSMS(0, place)

    def card(self) -> str:
        return str(self._machine.GetSIMIMSI())

    def enter_pin(self, pin: str) -> None:
        self._machine.EnterSecurityCode("PIN", pin)

    def ask(self, code: str) -> None:
        self._listen()
        self._machine.DialService(code)

    def _centre(self) -> str:
        self._smsc = self._smsc or str(self._machine.GetSMSC(1)["Number"])
        return self._smsc

    def _listen(self) -> None:
        if self._is_listening:
            return
        self._machine.SetIncomingCallback(self._heard)
        for listen in (self._machine.SetIncomingSMS, self._machine.SetIncomingCall, self._machine.SetIncomingUSSD):
            with contextlib.suppress(gammu.ERR_NOTSUPPORTED):
                listen(True)
        self._is_listening = True

    def _heard(self, _machine: object, kind: str, told: dict[str, Any]) -> None:
        if kind == "SMS" and told.get("Type") == "Status_Report":
            self.say(event="report", reference=told["MessageReference"], number=told["Number"],
                     status=told["DeliveryStatus"])
        elif kind == "SMS":
            self._has_news = True
        elif kind == "Call":
            self.say(event="call", is_ringing=told["Status"] == "IncomingCall", number=told["Number"])
        elif kind == "USSD":
            self.say(event="ussd", status=told["Status"], text=told["Text"])

    def _every(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        try:
            part = self._machine.GetNextSMS(Start=True, Folder=0)
            while True:
                found += [_incoming(sms) for sms in part if sms["Type"] == "Deliver"]
                part = self._machine.GetNextSMS(Location=part[0]["Location"], Folder=0)
        except gammu.ERR_EMPTY:
            return found


def _body(pdu: str) -> int:
    """The octets of the text in an SMS-SUBMIT of ours, without its header."""
    raw = bytes.fromhex(pdu)
    place = 1 + raw[0] + 4 + (raw[1 + raw[0] + 2] + 1) // 2 + 3
    return len(raw) - place - 1 - (1 + raw[place + 1] if raw[1 + raw[0]] & 0x40 else 0)


def _incoming(sms: dict[str, Any]) -> dict[str, Any]:
    udh, at = sms["UDH"], sms["DateTime"]
    is_part = udh["PartNumber"] >= 1 and udh["AllParts"] >= 2
    return {
        "place": sms["Location"], "number": sms["Number"], "text": sms["Text"].split("\x00")[0].replace("~~", "~"),
        "at": at.isoformat() if at is not None and at.tzinfo is not None else None,
        "concatenation": (udh["ID16bit"] if udh["ID16bit"] >= 0 else udh["ID8bit"]) if is_part else None,
        "part": udh["PartNumber"] if is_part else 1, "parts": udh["AllParts"] if is_part else 1,
    }


def _answer(phone: Phone, line: str) -> None:
    question = json.loads(line)
    try:
        phone.say(id=question["id"], answer=getattr(phone, question["verb"])(*question["given"]))
    except Refused as no:
        phone.say(id=question["id"], refused=str(no))
    except gammu.GSMError as failed:
        told = failed.args[0] if failed.args and isinstance(failed.args[0], dict) else {}
        phone.say(id=question["id"], failed=str(told.get("Text", failed)), code=int(told.get("Code", 0)))


def main() -> None:
    """Until its standard input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                                     # libgammu prints warnings where our answers go
    phone = Phone(sys.argv[1], out)
    buffer = b""
    while True:
        if not select.select([0], [], [], POLL_S)[0]:
            with contextlib.suppress(gammu.ERR_TIMEOUT, gammu.ERR_EMPTY):
                phone.poll()
            continue
        if not (data := os.read(0, 65536)):
            return
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            _answer(phone, line.decode())


if __name__ == "__main__":
    main()
