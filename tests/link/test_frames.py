from __future__ import annotations

import random
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from k210kit.errors import FormatError
from k210kit.link.bad_line import damaged, flip_bits
from k210kit.link.frames import MOST_PAYLOAD, OVERHEAD, SYNC, Decoder, Encoder, Frame, Header
from k210kit.wire import size, write


def only_frames(pieces: list[Frame | bytes]) -> list[Frame]:
    return [piece for piece in pieces if isinstance(piece, Frame)]


def whole(decoder: Decoder, stream: bytes, rng: random.Random | None = None) -> list[Frame]:
    found: list[Frame | bytes] = []
    at = 0
    while at < len(stream):
        step = rng.randrange(1, 200) if rng else len(stream)
        found += decoder.feed(stream[at : at + step])
        at += step
    return only_frames(found + decoder.give_up())


def test_a_frame_is_what_the_declaration_says() -> None:
    frame = Encoder(sequence=0x1234).encode(3, b"hello")
    header = write(Header(kind=3, sequence=0x1234, length=5, check=0))[:-2]
    assert frame[: size(Header)] == header + (crc32(header) & 0xFFFF).to_bytes(2, "little")
    assert frame[size(Header) : -4] == b"hello"
    assert int.from_bytes(frame[-4:], "little") == crc32(frame[:-4])
    assert len(frame) == OVERHEAD + 5 == 20


@given(st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=300)), max_size=20), st.integers(0, 1000))
def test_what_is_sent_arrives_in_any_pieces(messages: list[tuple[int, bytes]], seed: int) -> None:
    encoder, decoder = Encoder(sequence=65530), Decoder()
    stream = b"".join(encoder.encode(kind, payload) for kind, payload in messages)
    frames = whole(decoder, stream, random.Random(seed))
    assert [(f.kind, f.payload) for f in frames] == messages
    assert decoder.counts.lost == decoder.counts.resyncs == decoder.counts.damaged == decoder.pending == 0


@given(st.binary(max_size=2000))
def test_noise_is_handed_on_whole_and_nothing_is_kept(noise: bytes) -> None:
    decoder = Decoder()
    pieces = decoder.feed(noise) + decoder.give_up()
    assert b"".join(p for p in pieces if isinstance(p, bytes)) == noise
    assert not only_frames(pieces)
    assert decoder.pending == 0


@settings(max_examples=300, deadline=None)
@example(seed=319, hits=2)
@given(seed=st.integers(0, 2**32), hits=st.integers(0, 4))
def test_every_undamaged_frame_arrives_and_no_damaged_one(seed: int, hits: int) -> None:
    rng = random.Random(seed)
    encoder = Encoder(sequence=rng.randrange(65536))
    sent = [encoder.encode(rng.randrange(1, 8), rng.randbytes(rng.randrange(80)) + SYNC) for _ in range(8)]
    stream, whole_ones = damaged(sent, rng, hits)
    arrived = [Encoder(f.sequence).encode(f.kind, f.payload) for f in whole(Decoder(), stream, rng)]
    assert set(arrived) <= set(sent)
    kept = [frame for frame in arrived if frame in {sent[i] for i in whole_ones}]
    in_order = sorted((sent[i] for i in whole_ones), key=stream.find)  # a piece that came twice moves what follows it
    assert list(dict.fromkeys(kept)) == in_order


def test_one_bit_in_ten_thousand_costs_just_the_frames_it_hits() -> None:
    rng, encoder, decoder = random.Random(5), Encoder(), Decoder()
    sent = [encoder.encode(1, rng.randbytes(1500)) for _ in range(400)]
    stream, places = flip_bits(b"".join(sent), rng, 1e-4)
    spoiled = {place // len(sent[0]) for place in places}
    arrived = whole(decoder, stream, rng)
    assert [f.sequence for f in arrived] == [i for i in range(400) if i not in spoiled]
    assert 50 < len(arrived) < 200


def test_a_length_beyond_the_limit_is_not_believed() -> None:
    big = Encoder().encode(1, bytes(5000))
    decoder = Decoder(most_payload=4999)
    assert only_frames(decoder.feed(big)) == []
    assert decoder.pending <= 1
    with pytest.raises(FormatError, match=r"the payload is too long for one frame; found 65,537 bytes"):
        Encoder().encode(1, bytes(MOST_PAYLOAD + 1))


def test_the_buffer_is_bounded() -> None:
    decoder = Decoder(most_payload=1000)
    header = Encoder().encode(1, bytes(1000))[:11]
    for _ in range(2000):
        decoder.feed(header)
        assert decoder.pending <= 1000 + OVERHEAD


def test_gaps_duplicates_and_a_new_start_are_counted() -> None:
    decoder = Decoder()
    for sequence in (5, 6, 9, 9, 0):
        decoder.feed(Encoder(sequence).encode(3, b"x"))
    assert (decoder.counts.lost, decoder.counts.duplicates, decoder.counts.frames) == (2, 1, 4)


def test_a_frame_of_another_version_is_stepped_over() -> None:
    header = write(Header(kind=3, version=2, sequence=1, length=1, check=0))[:-2]
    header += (crc32(header) & 0xFFFF).to_bytes(2, "little")
    decoder = Decoder()
    assert decoder.feed(header + b"x" + crc32(header + b"x").to_bytes(4, "little")) == []
    assert decoder.counts.foreign == 1
