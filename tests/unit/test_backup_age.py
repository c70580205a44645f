"""Our age files are everybody's: pyrage, which is age itself, opens ours, and we open what it sealed."""
from __future__ import annotations

import io

import pytest
from pyrage import passphrase as age_itself

from appliance.backup import age

WORDS = "four words in a row"
SIZES = [0, 1, 16, age.CHUNK - 1, age.CHUNK, age.CHUNK + 1, 2 * age.CHUNK, 3 * age.CHUNK + 7]


def sealed(content: bytes, words: str = WORDS) -> bytes:
    sink = io.BytesIO()
    sealing = age.Sealing(sink, words, log_n=10)
    for start in range(0, len(content), 10_007):
        sealing.write(content[start:start + 10_007])
    sealing.close()
    return sink.getvalue()


def opened(content: bytes, words: str = WORDS) -> bytes:
    return age.Opening(io.BytesIO(content), words).read()


def plain(size: int) -> bytes:
    return bytes(number * 7 % 251 for number in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_age_opens_what_we_sealed(size: int) -> None:
    assert age_itself.decrypt(sealed(plain(size)), WORDS) == plain(size)


@pytest.mark.deep
@pytest.mark.parametrize("size", [0, 1, age.CHUNK, age.CHUNK + 1])
def test_we_open_what_age_sealed(size: int) -> None:
    foreign = io.BytesIO(age_itself.encrypt(plain(size), WORDS))
    assert age.Opening(foreign, WORDS, most_log_n=22).read() == plain(size)     # it takes a second of this machine


@pytest.mark.parametrize("size", SIZES)
def test_it_comes_back_whole_in_small_pieces(size: int) -> None:
    reading, parts = age.Opening(io.BytesIO(sealed(plain(size))), WORDS), []
    while part := reading.read(1000):
        assert len(part) <= 1000
        parts.append(part)
    assert b"".join(parts) == plain(size)


def test_another_passphrase_says_so() -> None:
    with pytest.raises(age.WrongPassphraseError, match="The passphrase does not open it"):
        opened(sealed(b"secret"), "four other words here")


def test_a_passphrase_of_any_script_opens_it_everywhere() -> None:
    assert age_itself.decrypt(sealed(b"x", "утро вечера мудренее 早上"), "утро вечера мудренее 早上") == b"x"


@pytest.mark.deep
def test_every_flipped_bit_is_found() -> None:
    whole = sealed(plain(300))
    for place in range(len(whole)):
        with pytest.raises(age.AgeError):
            opened(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])


@pytest.mark.parametrize("size", [0, 300, age.CHUNK, 2 * age.CHUNK])
def test_whatever_is_cut_off_is_found(size: int) -> None:
    whole = sealed(plain(size))
    for length in {0, 1, 30, 100, 200, len(whole) // 2, len(whole) - 17, len(whole) - 1, age.CHUNK + 200}:
        if length < len(whole):
            with pytest.raises(age.AgeError):
                opened(whole[:length])


def test_what_stands_behind_it_is_found() -> None:
    with pytest.raises(age.AgeError):
        opened(sealed(plain(300)) + b"more")


def test_chunks_that_change_places_are_found() -> None:
    whole = sealed(plain(3 * age.CHUNK))
    one, start = age.CHUNK + age.TAG, len(whole) - 3 * (age.CHUNK + age.TAG)
    with pytest.raises(age.AgeError):
        opened(whole[:start] + whole[start + one:start + 2 * one] + whole[start:start + one] + whole[start + 2 * one:])


def test_one_that_would_take_all_memory_to_try_is_refused_untried() -> None:
    whole = sealed(b"x").replace(b" 10\n", b" 30\n", 1)
    with pytest.raises(age.AgeError, match="more memory"):
        opened(whole)


def test_two_seals_of_the_same_have_nothing_in_common() -> None:
    assert sealed(b"the same")[60:] != sealed(b"the same")[60:]
