"""What the simulated modem says to each AT command (3GPP TS 27.005 and 27.007), and what it remembers."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

SIM_CAPACITY = 20
SHAPE = re.compile(r"(\+[A-Z]+|[&^$%][A-Z]+|[A-Z])(.*)", re.DOTALL)
MOBILE, MESSAGE = "+CME ERROR", "+CMS ERROR"
PIN_TRIES = 3
USSD = {   # by mood: what the network answers to a USSD code, as modems of different makers write it
    "plain": '+CUSD: 0,"Your balance is 12.34 EUR.",15',
    "lines": '+CUSD: 0,"Your balance:\r\n12.34 EUR",15',
    "ucs2": '+CUSD: 0,"041204300448002004310430043B0430043D0441003A002000310032002E00330034",72',
    "packed": '+CUSD: 0,"D9775D0E1287D961F7B80C4ACF4131996B460315AB5217",15',
    "menu": '+CUSD: 1,"1 Balance\r\n2 Top up",15',
    "broken": "+CUSD: 2", "unknown": "+CUSD: 4", "never": "", "refused": "",
}
USSD_MOODS = tuple(USSD)


class Refused(Exception):
    """The final line of a command that failed: code None is plain ERROR, family +CME ERROR or +CMS ERROR."""

    def __init__(self, code: int | None = None, family: str = MOBILE) -> None:
        super().__init__(code)
        self.code, self.family = code, family


@dataclass
class Modem:
    """The modem's memory. A power cycle forgets all but the SIM's (pin, stored texts) and the radio's."""

    has_sim: bool = True
    iccid: str = "8949010000000000007"
    pin: str | None = None  # asked for after each power-up
    pin_tries_left: int = PIN_TRIES
    is_unlocked: bool = False
    ussd: str = "plain"  # one of USSD_MOODS
    me_refused: bool = False  # names ME among its memories and refuses it, as an A7670 does
    registration: int = 1
    signal: int = 20
    operator: str = "Demo Mobile"
    report_modes: tuple[int, ...] = (0, 1, 2)
    incoming: str = "SM"  # where texts land; a modem that says ME takes it in +CPMS too
    minds_escape: bool = False  # says ERROR to an ESC nobody waited for
    stored: dict[str, dict[int, tuple[int, str]]] = field(default_factory=lambda: {"SM": {}, "SR": {}})
    echo: bool = True
    verbose: bool = True
    errors: int = 0
    charset: str = "GSM"
    news: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0])
    memory: str = "SM"
    flags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stored.setdefault(self.incoming, {})

    @property
    def is_locked(self) -> bool:
        return self.pin is not None and not self.is_unlocked

    def lock(self, pin: str) -> None:
        """The SIM asks for this PIN from now on."""
        self.pin, self.pin_tries_left, self.is_unlocked = pin, PIN_TRIES, False

    def set_ussd(self, mood: str) -> None:
        """How USSD answers come. ValueError for a mood that is none of USSD_MOODS."""
        if mood not in USSD:
            raise ValueError(f"{mood!r} is no way to answer; they are: {', '.join(USSD)}")
        self.ussd = mood

    def ussd_answer(self) -> str:
        return USSD[self.ussd]

    def fill(self, texts: int) -> None:
        """Puts that many read texts into the SIM, so that it has less room or none."""
        for _ in range(texts):
            if (place := self.store("SM", OLD_TEXT)) is not None:
                self.stored["SM"][place] = (1, OLD_TEXT)

    def power_cycle(self) -> None:
        """Forgets what a modem forgets when its power goes; a SIM with a PIN asks for it again."""
        self.is_unlocked = False
        self.reset()

    def reset(self) -> None:
        """ATZ: the settings go back to the maker's."""
        self.echo, self.verbose, self.errors, self.charset, self.memory = True, True, 0, "GSM", "SM"
        self.news, self.flags = [0, 0, 0, 0, 0], {}

    def store(self, memory: str, pdu: str) -> int | None:
        """The place an unread text got, or None when the SIM is full."""
        shelf = self.stored[memory]
        free = next((place for place in range(1, SIM_CAPACITY + 1) if place not in shelf), None)
        if free is not None:
            shelf[free] = (0, pdu)
        return free

    def answer(self, command: str) -> list[str]:
        """The information lines of one command without its AT. Raises Refused."""
        shape = SHAPE.fullmatch(command)
        if shape is None:
            return []
        name, rest = shape[1].upper(), shape[2]
        if self.has_sim is False and name in NEEDS_SIM:
            raise Refused(310 if name in MESSAGES else 10, MESSAGE if name in MESSAGES else MOBILE)
        if name in MESSAGES and self.is_locked:
            raise Refused(311, MESSAGE)
        if name in FIXED and rest in ("", "?"):
            return [FIXED[name]]
        act = ACTS.get(name)
        if act is not None:
            return act(self, rest)
        if name in FLAGS:
            return self._flag(name, rest)
        raise Refused()

    def _flag(self, name: str, rest: str) -> list[str]:
        if rest == "=?":
            return [f"{name}: {FLAGS[name][1]}"]
        if rest == "?":
            return [f"{name}: {self.flags.get(name, FLAGS[name][0])}"]
        if rest.startswith("="):
            self.flags[name] = rest[1:]
        return []


def _digit(rest: str, low: int, high: int) -> int:
    text = rest.lstrip("=").split(",")[0].strip('"')
    if not text.isdecimal() or not low <= int(text) <= high:
        raise Refused(50)
    return int(text)


def _echo(modem: Modem, rest: str) -> list[str]:
    modem.echo = bool(_digit(rest or "0", 0, 1))
    return []


def _verbose(modem: Modem, rest: str) -> list[str]:
    modem.verbose = bool(_digit(rest or "0", 0, 1))
    return []


def _reset(modem: Modem, _rest: str) -> list[str]:
    modem.reset()
    return []


def _errors(modem: Modem, rest: str) -> list[str]:
    if rest in ("?", "=?"):
        return ["+CMEE: (0,1)" if rest == "=?" else f"+CMEE: {modem.errors}"]
    modem.errors = _digit(rest, 0, 1)
    return []


def _pin(modem: Modem, rest: str) -> list[str]:
    if rest == "?":
        asks = "SIM PUK" if modem.pin_tries_left == 0 else "SIM PIN"
        return [f"+CPIN: {asks}" if modem.is_locked else "+CPIN: READY"]
    if rest == "=?":
        return []
    if not modem.is_locked:
        raise Refused(3)
    if modem.pin_tries_left == 0:
        raise Refused(12)
    if rest[1:].strip('"') != modem.pin:
        modem.pin_tries_left -= 1
        raise Refused(16)
    modem.is_unlocked, modem.pin_tries_left = True, PIN_TRIES
    return []


def _card(modem: Modem, rest: str) -> list[str]:
    if rest:
        raise Refused(4)
    return [f"+CCID: {modem.iccid}"]


def _ussd(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        return ["+CUSD: (0-2)"]
    if rest.startswith("=1,") and modem.ussd == "refused":
        raise Refused(258)
    if rest.startswith("=1,") and modem.ussd == "packed" and not re.match('=1,"[0-9A-F]{4,}"', rest):
        raise Refused(50)  # an older Huawei takes the code only packed, as it gives the answer
    return []


def _registered(name: str) -> Callable[[Modem, str], list[str]]:
    def act(modem: Modem, rest: str) -> list[str]:
        if rest == "=?":
            return [f"{name}: (0-2)"]
        if rest == "?":
            place = ',"00A1","0000BEEF"' if modem.flags.get(name) == "2" else ""
            return [f"{name}: {modem.flags.get(name, '0')},{modem.registration}{place}"]
        modem.flags[name] = str(_digit(rest, 0, 2))
        return []
    return act


def _signal(modem: Modem, rest: str) -> list[str]:
    return ["+CSQ: (0-31,99),(0-7,99)"] if rest == "=?" else [f"+CSQ: {modem.signal},99"]


def _operator(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        return [f'+COPS: (2,"{modem.operator}","DEMO","00101"),,(0-4),(0-2)']
    if rest != "?":
        if rest.startswith("=3,"):
            modem.flags["+COPS"] = rest[3:]
        return []
    if modem.registration not in (1, 5):
        return ["+COPS: 0"]
    style = modem.flags.get("+COPS", "0")
    return [f'+COPS: 0,{style},"{"00101" if style == "2" else modem.operator}"']


def _charset(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        return ['+CSCS: ("GSM","HEX","IRA","UCS2")']
    if rest == "?":
        return [f'+CSCS: "{modem.charset}"']
    if rest[1:].strip('"') not in ("GSM", "HEX", "IRA", "UCS2"):
        raise Refused(50)
    modem.charset = rest[1:].strip('"')
    return []


def _shelves(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        names = [f'"{name}"' for name in [*modem.stored, *(["ME"] if modem.me_refused else [])]]
        return [f"+CPMS: ({','.join(names)})" + f",({','.join(name for name in names if name != '\"SR\"')})" * 2]
    used, room = {name: len(shelf) for name, shelf in modem.stored.items()}, SIM_CAPACITY
    if rest == "?":
        return [f'+CPMS: "{modem.memory}",{used[modem.memory]},{room}' + f',"SM",{used["SM"]},{room}' * 2]
    names = re.findall(r'"([A-Z]*)"', rest)
    if not names or not set(names) <= set(modem.stored) or "SR" in names[1:]:
        raise Refused(302, MESSAGE)
    modem.memory = names[0]
    return [f"+CPMS: {used[modem.memory]},{room},{used['SM']},{room},{used['SM']},{room}"]


def _news(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        return [f"+CNMI: (0,1,2),(0,1,2),(0,2),({','.join(map(str, modem.report_modes))}),(0,1)"]
    if rest == "?":
        return ["+CNMI: " + ",".join(map(str, modem.news))]
    given = [int(part) if part.isdecimal() else 0 for part in rest[1:].split(",")]
    wanted = [*given, *modem.news[len(given):]][:5]
    if wanted[0] > 2 or wanted[1] > 2 or wanted[2] not in (0, 2) or wanted[3] not in modem.report_modes:
        raise Refused(303, MESSAGE)
    modem.news = wanted
    return []


def _format(_modem: Modem, rest: str) -> list[str]:
    if rest in ("?", "=?"):
        return ["+CMGF: 0" if rest == "?" else "+CMGF: (0)"]
    if rest != "=0":
        raise Refused(303, MESSAGE)
    return []


def _list(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        return ["+CMGL: (0-4)"]
    wanted = _digit(rest or "=0", 0, 4)
    lines: list[str] = []
    for place, (status, pdu) in sorted(modem.stored[modem.memory].items()):
        if wanted in (4, status):
            lines += [f"+CMGL: {place},{status},,{len(pdu) // 2 - 1}", pdu]
            modem.stored[modem.memory][place] = (1, pdu)
    return lines


def _read(modem: Modem, rest: str) -> list[str]:
    place = _digit(rest, 0, 255)
    if place not in modem.stored[modem.memory]:
        raise Refused(321, MESSAGE)
    status, pdu = modem.stored[modem.memory][place]
    modem.stored[modem.memory][place] = (1, pdu)
    return [f"+CMGR: {status},,{len(pdu) // 2 - 1}", pdu]


def _delete(modem: Modem, rest: str) -> list[str]:
    shelf = modem.stored[modem.memory]
    if rest == "=?":
        return [f"+CMGD: ({','.join(map(str, sorted(shelf)))}),(0-4)"]
    place, _, flag = rest[1:].partition(",")
    if flag not in ("", "0"):
        for read in [spot for spot, (status, _pdu) in shelf.items() if status == 1 or flag == "4"]:
            del shelf[read]
        return []
    if not place.isdecimal() or not 1 <= int(place) <= SIM_CAPACITY:
        raise Refused(321, MESSAGE)
    shelf.pop(int(place), None)
    return []


def _pin_tries(modem: Modem, rest: str) -> list[str]:
    return [] if rest == "=?" else [f"+CPINR: SIM PIN,{modem.pin_tries_left},{PIN_TRIES}", "+CPINR: SIM PUK,10,10"]


def _service(modem: Modem, rest: str) -> list[str]:
    if rest == "=?":
        return ["+CSMS: (0)"]
    return ["+CSMS: 0,1,1,1"] if rest == "?" else ["+CSMS: 1,1,1"]


OLD_TEXT = "00040C91947110325476000862112190000000060041006C0074"
ACTS: dict[str, Callable[[Modem, str], list[str]]] = {
    "E": _echo, "V": _verbose, "Z": _reset, "&F": _reset, "+CMEE": _errors, "+CPIN": _pin,
    "+CREG": _registered("+CREG"), "+CGREG": _registered("+CGREG"), "+CEREG": _registered("+CEREG"),
    "+CSQ": _signal, "+COPS": _operator, "+CSCS": _charset, "+CPMS": _shelves, "+CNMI": _news, "+CMGF": _format,
    "+CUSD": _ussd, "+CCID": _card, "+CMGL": _list, "+CMGR": _read, "+CMGD": _delete, "+CSMS": _service,
    "+CPINR": _pin_tries,
}
FIXED = {
    "+CGMI": "Deskbell", "+CGMM": "GSM-SIM", "+CGMR": "1.0", "+CGSN": "490154203237518", "+CIMI": "001010123456789",
    "+GMI": "Deskbell", "+GMM": "GSM-SIM", "+GMR": "1.0", "+GSN": "490154203237518", "I": "Deskbell GSM-SIM 1.0",
    "+CNUM": '+CNUM: "","+4915112345678",145', "+CPAS": "+CPAS: 0",
    "+CBC": "+CBC: 0,100", "+CSCA": '+CSCA: "+491710760000",145', "+CGATT": "+CGATT: 1", "+CLCC": "",
}
FLAGS = {
    "+CFUN": ("1", "(0,1,4)"), "+CMMS": ("0", "(0-2)"), "+CLIP": ("0,1", "(0,1)"), "+CRC": ("0", "(0,1)"),
    "+CSCA": ("", ""), "+CGATT": ("1", "(0,1)"), "+CSDH": ("0", "(0,1)"),
    "+CCWA": ("0", "(0,1)"), "+CSSN": ("0,0", "(0,1),(0,1)"), "+CTZU": ("0", "(0,1)"),
    "+CCLK": ('"80/01/06,00:00:12+00"', ""), "&D": ("", ""), "&C": ("", ""),
    "S": ("", ""), "Q": ("", ""), "X": ("", ""), "H": ("", ""), "+CHUP": ("", ""), "&W": ("", ""), "+CNMA": ("", ""),
}
MESSAGES = {"+CMGS", "+CMGL", "+CMGR", "+CMGD", "+CPMS", "+CNMI", "+CMMS", "+CSCA"}
NEEDS_SIM = MESSAGES - {"+CNMI", "+CMMS"} | {"+CPIN", "+CPINR", "+CIMI", "+CNUM", "+CCID"}
