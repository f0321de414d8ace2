from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k210kit.device.slip import SlipReader, encode, wire_length

packets = st.lists(st.binary(max_size=40), min_size=1, max_size=6)
likely = st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 0x00, 0x41])


class PlainReader:
    """The receiver byte by byte, as a table of states would be written."""

    def __init__(self) -> None:
        self.state, self.packet = "idle", bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        found = []
        for index, byte in enumerate(data):
            if byte == 0xC0:
                if self.state == "idle":
                    self.state = "packet"
                else:
                    found.append((index, bytes(self.packet)))
                    self.state, self.packet = "idle", bytearray()
            elif self.state == "packet":
                if byte == 0xDB:
                    self.state = "escape"
                else:
                    self.packet.append(byte)
            elif self.state == "escape" and byte in (0xDC, 0xDD):
                self.packet.append(0xC0 if byte == 0xDC else 0xDB)
                self.state = "packet"
        return found


@given(packets)
def test_packets_arrive_as_they_were_sent(sent: list[bytes]) -> None:
    wire = b"".join(encode(packet) for packet in sent)
    assert [packet for _, packet in SlipReader().feed(wire)] == sent
    assert len(wire) == sum(wire_length(packet) for packet in sent)


@given(st.lists(likely, max_size=60).map(bytes), st.integers(0, 60))
def test_any_bytes_in_any_pieces_are_read_as_by_the_plain_reader(wire: bytes, cut: int) -> None:
    reader, plain = SlipReader(), PlainReader()
    for piece in (wire[:cut], wire[cut:]):
        assert list(reader.feed(piece)) == plain.feed(piece)


def test_a_lost_end_turns_gaps_into_packets() -> None:
    wire = encode(b"one")[1:] + encode(b"two") + encode(b"three")
    assert [packet for _, packet in SlipReader().feed(wire)] == [b"", b""]
