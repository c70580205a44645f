"""Which browser somebody used, in words a person recognises; a guess from what it says of itself."""
from __future__ import annotations

from web.language import N_, Words

# The first that is found counts: nearly all of them call themselves Safari and Mozilla too.
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("YaBrowser", "Yandex"), ("MicroMessenger", "WeChat"),
            ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"),
            ("Chrom", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("HarmonyOS", "HarmonyOS"), ("Android", "Android"),
           ("Windows", "Windows"), ("Macintosh", "Mac"), ("CrOS", "Chromebook"), ("Linux", "Linux"))
BOTH = N_("%(browser)s on %(system)s")
UNKNOWN = N_("A browser that does not say which")


def named(agent: str | None, words: Words) -> str:
    """Firefox on Windows."""
    browser = next((name for mark, name in BROWSERS if mark in (agent or "")), "")
    system = next((name for mark, name in SYSTEMS if mark in (agent or "")), "")
    if browser and system:
        return words(BOTH, browser=browser, system=system)
    return browser or system or words(UNKNOWN)
