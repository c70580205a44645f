"""The sentence that a call is recorded, spoken once into a sound file for each language; Asterisk plays it."""
from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import tempfile
from pathlib import Path

log = logging.getLogger("provision")

SENTENCES = {"en": "This call is recorded.", "fr": "Cet appel est enregistré.", "ru": "Разговор записывается.",
             "zh": "本次通话将被录音。"}
VOICES = {"zh": "cmn"}                # espeak-ng's name, where it is another one
PACE = "140"                          # words a minute
MADE_S = 20


def name(language: str) -> str:
    """What the file for a language is called, without its ending; another sentence has another name."""
    language = language if language in SENTENCES else "en"
    return f"notice-{language}-{hashlib.sha256(SENTENCES[language].encode()).hexdigest()[:8]}"


def make(folder: Path) -> bool:
    """Whether every sentence is there, in the sound that Asterisk plays as it is (8 kHz, 16 bit); makes what lacks.

    A machine that cannot speak records without saying so, and the journal says why; no start of Asterisk fails by it.
    """
    try:
        for language in SENTENCES:
            _make(folder / f"{name(language)}.wav", language)
    except (OSError, subprocess.SubprocessError) as broken:
        log.warning("The sentence that a call is recorded could not be made (%s). Calls ring.", broken)
        return False
    return True


def _make(file: Path, language: str) -> None:
    if file.exists():
        return
    with tempfile.TemporaryDirectory(dir=file.parent) as aside:
        spoken, ready = Path(aside) / "spoken.wav", Path(aside) / "ready.wav"
        _run("espeak-ng", "-v", VOICES.get(language, language), "-s", PACE, "-w", str(spoken), SENTENCES[language])
        _run("sox", str(spoken), "-r", "8000", "-c", "1", "-b", "16", str(ready), "pad", "0.2", "0.2")
        os.replace(ready, file)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=MADE_S)
