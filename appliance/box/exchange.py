"""The simulated telephone company: its sounds, its settings of this run, and the calls it places.

The configuration itself is image/exchange; it keeps to the folder RUN.
"""
from __future__ import annotations

import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from appliance.box.provision import sip_secret
from appliance.calls.ami import Ami, AmiError
from appliance.config import Box, Extension

CONFIGURATION = Path(__file__).resolve().parents[2] / "image/exchange"
RUN = Path("/run/deskbell-demo")
GATEWAY = "127.0.0.1:5070"
AMI_ADDRESS = ("127.0.0.1", 5039)
TONE_S = 1.5
CALLER_HZ, STAFF_HZ = 440, 1000
SHOP_NUMBER = "+493023125100"      # numbers the German regulator keeps for films
MISS_S, TALK_S = 8, 30             # how long a caller lets it ring


@dataclass(frozen=True)
class Caller:
    name: str
    number: str


CALLERS = {"miss": Caller("Anna Petrova", "+491713920012"), "talk": Caller("Ben Novak", "+491713920034")}


def command(*also: str) -> tuple[str, ...]:
    return ("asterisk", "-C", str(CONFIGURATION / "asterisk.conf"), *also)


def place_call(box: Box, story: str) -> None:
    """Lets the story's caller ring the shop: "miss" gives up after 8 s, "talk" is answered after 2 s.

    Raises OSError when the telephone company does not answer, ValueError for another story.
    """
    if box.demo is None or story not in CALLERS:
        raise ValueError(f"{story!r} is no story of a demo")
    folder = box.demo / "exchange"
    secret, number = (folder / "ami").read_text().strip(), (folder / f"caller-{story}").read_text().strip()
    try:
        with Ami("deskbell", secret, AMI_ADDRESS) as exchange:
            exchange.ask("Setvar", Variable="STAFF", Value="answers" if story == "talk" else "rings")
            exchange.ask(
                "Originate", Channel=f"PJSIP/{SHOP_NUMBER}@box", Context="caller", Exten="s", Priority="1",
                CallerID=f'"{CALLERS[story].name}" <{number}>', Async="true",
                Timeout=str(1000 * (TALK_S if story == "talk" else MISS_S)))
    except AmiError as silent:
        raise ConnectionError(str(silent)) from silent


def write_run(box: Box, phone: Extension | None, caller_number: str | None = None) -> None:
    """What differs from run to run, below RUN: secrets, where the box listens, who calls.

    phone None leaves the place of the staff's phone to a real one; caller_number replaces
    the one who is missed, when a real modem is to text a real person.
    """
    folder = RUN / "exchange"
    folder.mkdir(parents=True, exist_ok=True)
    RUN.chmod(0o755)
    shutil.chown(folder, "asterisk", "deskbell")
    folder.chmod(0o750)
    secret = secrets.token_hex(16)
    _write(folder / "ami", secret, "deskbell")
    for story, caller in CALLERS.items():
        _write(folder / f"caller-{story}", caller_number or caller.number, "deskbell")
    _write(folder / "manager_run.conf",
           f"[deskbell]\nsecret = {secret}\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n"
           "read = call\nwrite = call,originate\n", "asterisk")
    _write(folder / "pjsip_run.conf", _pjsip(box, phone), "asterisk")


def _pjsip(box: Box, phone: Extension | None) -> str:
    at = f"127.0.0.1:{box.sip.port}"
    text = f"[box]\ntype = aor\ncontact = sip:{at}\n"
    if phone:
        text += (f"\n[staff]\ntype = auth\nauth_type = digest\nusername = {phone.number}\n"
                 f"password = {sip_secret(box, phone)}\n\n"
                 f"[staff]\ntype = registration\ntransport = desk\nserver_uri = sip:{at}\n"
                 f"client_uri = sip:{phone.number}@{at}\ncontact_user = {phone.number}\noutbound_auth = staff\n"
                 "max_random_initial_delay = 0\nretry_interval = 1\nforbidden_retry_interval = 2\n"
                 "auth_rejection_permanent = no\nexpiration = 300\n")
    return text


def _write(file: Path, text: str, group: str) -> None:
    file.write_text(text + "\n")
    shutil.chown(file, "root", group)
    file.chmod(0o640)


def make_sounds() -> None:
    """What both sides of "Call and talk" play from the answer on; each is silent while the other's tone sounds.

    The caller asks (0.5 s), tone (3 s to 4.5 s), thanks (10.5 s); staff speaks (5 s), tone (8.5 s to 10 s).
    """
    folder = RUN / "sound"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    _say(folder / "ask.wav", "en-gb+f3", "Hello, are you open today?", 0.5, 3.0)
    _say(folder / "thanks.wav", "en-gb+f3", "Thank you, goodbye.", 6.0, 8.0)
    _say(folder / "answer.wav", "en-gb+m3", "Good afternoon. Yes, we are open until six.", 5.0, 8.5)
    _tone(folder / "440.wav", CALLER_HZ)
    _tone(folder / "1000.wav", STAFF_HZ)
    _sox(folder / "ask.wav", folder / "440.wav", folder / "thanks.wav", folder / "caller.wav")
    _sox(folder / "answer.wav", folder / "1000.wav", folder / "staff.wav")
    for file in folder.iterdir():
        file.chmod(0o644)


def _say(file: Path, voice: str, text: str, silence_s: float, length_s: float) -> None:
    spoken = subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "--stdout", text], check=True, capture_output=True)
    subprocess.run(["sox", "-t", "wav", "-", "-r", "8000", "-c", "1", "-b", "16", str(file), "pad", str(silence_s), "9",
                    "trim", "0", str(length_s)], input=spoken.stdout, check=True, capture_output=True)


def _tone(file: Path, hertz: int) -> None:
    _sox("-n", "-r", "8000", "-c", "1", "-b", "16", file, "synth", TONE_S, "sine", hertz, "vol", 0.5)


def _sox(*words: object) -> None:
    subprocess.run(["sox", *map(str, words)], check=True, capture_output=True)
