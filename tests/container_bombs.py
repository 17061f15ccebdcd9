"""Files of sound whose containers are made to cost: small, valid, with a second of sound behind tables and tags."""

import struct
import zlib

from sounds import encoded_sound, tone, wav

PCM = tone(1).tobytes()
FLAC = encoded_sound(tone(1), 16000, "flac", "flac")
M4A = encoded_sound(tone(3), 48000, "ipod", "aac")
MP3 = encoded_sound(tone(1, 48000), 48000, "mp3", "libmp3lame")


def vorbis_comments(count: int) -> bytes:
    """As many different tags, as FLAC and Ogg have them."""
    tags = [b"%x=v" % number for number in range(count)]
    return struct.pack("<II", 0, count) + b"".join(struct.pack("<I", len(tag)) + tag for tag in tags)


def flac(*blocks: tuple[int, bytes]) -> bytes:
    """A FLAC file with more blocks of metadata, each a type and its content."""
    information = 4 + 4 + 34
    written = b"".join(bytes([kind]) + len(content).to_bytes(3, "big") + content for kind, content in blocks)
    return FLAC[:4] + b"\0" + FLAC[5:information] + written + FLAC[information:]


def flac_tags(count: int) -> bytes:
    return flac((4, vorbis_comments(count)))


def ogg_tags(count: int) -> bytes:
    """The two headers of an Opus file, nothing behind them."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48000, 0, 0)
    return _ogg(0, head, 2) + _ogg(1, b"OpusTags" + vorbis_comments(count), 0)


def _ogg(number: int, packet: bytes, flags: int) -> bytes:
    lengths = [255] * (len(packet) // 255) + [len(packet) % 255]
    pages = b""
    for first in range(0, len(lengths), 255):
        part = lengths[first : first + 255]
        body = packet[first * 255 : first * 255 + sum(part)]
        kind = flags if first == 0 else 1
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, 0, 7, number + first // 255, 0, len(part)) + bytes(part)
        pages += head[:22] + struct.pack("<I", _ogg_crc(head + body)) + head[26:] + body
    return pages


def _ogg_crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[crc >> 24 ^ byte]
    return crc


def _ogg_table_entry(value: int) -> int:
    crc = value << 24
    for _ in range(8):
        crc = crc << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if crc & 0x80000000 else 0)
    return crc


_OGG_TABLE = [_ogg_table_entry(value) for value in range(256)]


def element(name: str, *inside: bytes) -> bytes:
    """One of Matroska's, its length in eight bytes."""
    content = b"".join(inside)
    return bytes.fromhex(name) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def number(name: str, value: int) -> bytes:
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def matroska(*parts: bytes, private: bytes = b"", blocks: bytes = b"", information: bytes = b"") -> bytes:
    """PCM at 16 kHz behind more elements; a second of it if there are no blocks."""
    sound = element("E1", element("B5", struct.pack(">d", 16000)), number("9F", 1), number("6264", 16))
    codec = element("86", b"A_FLAC" if private else b"A_PCM/INT/LIT") + (element("63A2", private) if private else b"")
    track = element("AE", number("D7", 1), number("73C5", 1), number("83", 2), codec, sound)
    head = element("1A45DFA3", number("42F7", 1), element("4282", b"matroska"), number("4287", 4), number("4285", 2))
    timed = element("1549A966", number("2AD7B1", 1_000_000), information)
    cluster = element("1F43B675", number("E7", 0), blocks or element("A3", b"\x81\0\0\x80", PCM))
    return head + element("18538067", timed, element("1654AE6B", track), *parts, cluster)


def matroska_tags(count: int) -> bytes:
    tags = [element("67C8", element("45A3", b"%x" % name), element("4487", b"v")) for name in range(count)]
    return matroska(element("1254C367", element("7373", *tags)))


def matroska_chapters(count: int) -> bytes:
    chapters = [element("B6", number("73C4", count - place), number("91", place)) for place in range(count)]
    return matroska(element("1043A770", element("45B9", *chapters)))


def matroska_cues(count: int, track: bytes = b"\xf7\x81\x01") -> bytes:
    """An index from the end to the beginning."""
    cues = [number("B3", count - place) + element("B7", track, number("F1", 1)) for place in range(count)]
    return matroska(element("1C53BB6B", *(element("BB", cue) for cue in cues)))


def matroska_crumbs(count: int) -> bytes:
    """Two samples in each block."""
    return matroska(blocks=b"\xa3\x88\x81\0\0\x80\1\0\1\0" * count)


def matroska_lasting(milliseconds: float) -> bytes:
    """A second, which says that it is something else."""
    return matroska(information=element("4489", struct.pack(">d", milliseconds)))


def id3(*frames: bytes) -> bytes:
    content = b"".join(frames)
    size = bytes(len(content) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + content


def id3_frames(name: bytes, count: int) -> bytes:
    contents = [b"%x\0v" % place for place in range(count)]
    return id3(*(name + struct.pack(">IH", len(content), 0) + content for content in contents))


def mp3_tags(count: int) -> bytes:
    return id3_frames(b"PRIV", count) + MP3


def wav_tags(count: int) -> bytes:
    tags = id3_frames(b"PRIV", count)
    tags += bytes(len(tags) % 2)
    whole = wav(PCM)
    return whole[:12] + b"id3 " + struct.pack("<I", len(tags)) + tags + whole[12:]


def wav_information(count: int) -> bytes:
    tags = b"".join(struct.pack("<II2s", 0x41000000 + place * 7919, 2, b"v") for place in range(count))
    whole = wav(PCM)
    return whole[:12] + b"LIST" + struct.pack("<I", 4 + len(tags)) + b"INFO" + tags + whole[12:]


def box(name: bytes, *inside: bytes) -> bytes:
    """One of an MP4 file."""
    content = b"".join(inside)
    return struct.pack(">I4s", 8 + len(content), name) + content


def with_samples(count: int) -> bytes:
    """An M4A file whose tables declare so many samples of one byte each."""
    data = bytearray(M4A)
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 1, count)
    struct.pack_into(">I", data, data.index(b"stsc") + 16, count)
    struct.pack_into(">I", data, data.index(b"stts") + 12, count)
    return bytes(data)


def hidden_samples(count: int) -> bytes:
    """The same, in a place where only FFmpeg looks for them."""
    data = with_samples(count)
    table = box(b"edts", box(b"stsz", struct.pack(">III", 0, 1, count)))
    return _with_box(data.replace(b"stsz", b"free").replace(b"edts", b"free"), table)


def packed_samples(count: int) -> bytes:
    """The same, compressed."""
    data = with_samples(count)
    start = data.index(b"moov") - 4
    packed = struct.pack(">I", len(data) - start) + zlib.compress(data[start:])
    return data[:start] + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", packed)))


def played_again(times: int, count: int = 1_900_000) -> bytes:
    """An edit list that plays so many samples again and again."""
    plays = struct.pack(">IiI", 30_000_000, 0, 0x10000) * times
    table = box(b"edts", box(b"elst", struct.pack(">II", 0, times), plays))
    return _with_box(with_samples(count).replace(b"edts", b"free"), table)


def mp4_tags(count: int) -> bytes:
    handler = box(b"hdlr", struct.pack(">II4s", 0, 0, b"mdir"), bytes(13))
    whose = box(b"mean", bytes(4), b"com.apple.iTunes")
    tags = (
        box(b"----", whose, box(b"name", bytes(4), b"%x" % name), box(b"data", bytes(8), b"v")) for name in range(count)
    )
    return _with_box(M4A, box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", *tags))), parents=(b"moov",))


def _with_box(data: bytes, new: bytes, parents: tuple[bytes, ...] = (b"moov", b"trak")) -> bytes:
    """With one more box in the first track, at its end, or behind it."""
    whole = bytearray(data)
    track = data.index(b"trak") - 4
    end = track + struct.unpack_from(">I", data, track)[0]
    whole[end:end] = new
    for start in (data.index(name) - 4 for name in parents):
        struct.pack_into(">I", whole, start, struct.unpack_from(">I", data, start)[0] + len(new))
    return bytes(whole)
