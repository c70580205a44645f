"""What an installer may ask of a modem that sends the shop's texts."""
from __future__ import annotations

import pytest

from appliance.texts import control


@pytest.mark.parametrize("command", [
    "AT", "at+csq", "ATI", "AT&V", "AT+CREG?", "AT+CPIN?", "AT+CPMS=?", "AT+CSQ;+CREG?", "AT^SYSINFOEX", "AT+CFUN=1,1",
    'AT+QCFG="ims",1', 'AT+CGDCONT=1,"IP","internet"', "AT+CNMI?",
])
def test_what_looks_or_sets_up_is_allowed(command: str) -> None:
    assert control.refusal(command) is None


@pytest.mark.parametrize("command", [
    "AT+CMGS=20", "at+cmgs=20", "AT +CMGS=20", "ATD112;", "ATX4D112;", "ATE0", "ATZ", "AT&F", "ATA", "ATH",
    "AT+CSQ;D112;", "AT+CSQ;+CMGD=1,4", "AT+CMSS=1", 'AT+CPIN="1234"', 'AT+CLCK="SC",0,"1234"', "AT+CNMI=0,0,0,0,0",
    "AT+CMGF=1", 'AT+CUSD=1,"*100#"', "hello", "", "AT+CSQ\rATD112;", "AT+CSQ\x1a", "A/", "AT" + "x" * 400,
])
def test_what_sends_dials_deletes_locks_or_changes_the_engine_is_not(command: str) -> None:
    refusal = control.refusal(command)
    assert refusal is not None and refusal.endswith(".")
