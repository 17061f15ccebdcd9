"""Pictures of every kind to RGB, as the official container sees them; hostile ones are refused at no cost."""

import struct
import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pictures import encoded, gradient, photo, png_of_size
from vecmod.contract.errors import RequestFault, TooLarge, Undecodable
from vecmod.serving.media.image import ImageReader
from vecmod.serving.media.limits import ImageLimits

READER = ImageReader(ImageLimits(max_pixels=178_956_970, max_aspect=200))
PLAIN = gradient(64, 48)
RGB = np.asarray(PLAIN)


def pixels(data: bytes) -> np.ndarray:
    with READER.open(data).rgb() as image:
        assert image.mode == "RGB"
        return np.array(image)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "QOI", "SGI", "PCX"])
def test_lossless_formats(kind: str) -> None:
    assert np.array_equal(pixels(encoded(PLAIN, kind)), RGB)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "JPEG2000"])
def test_lossless_variants_of_lossy_formats(kind: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}.get(kind, {"quality": 100})
    difference = np.abs(pixels(encoded(PLAIN, kind, **options)).astype(int) - RGB)
    assert difference.mean() < (1 if kind == "AVIF" else 0.01)


def test_icon() -> None:
    assert pixels(encoded(gradient(48, 48), "ICO", sizes=[(48, 48)])).shape == (48, 48, 3)


def icon(inner: bytes) -> bytes:
    """An icon whose directory says 16x16, whatever is in it."""
    entry = b"\x10\x10\0\0\x01\0\x20\0" + len(inner).to_bytes(4, "little") + (22).to_bytes(4, "little")
    return b"\0\0\x01\0\x01\0" + entry + inner


@pytest.mark.parametrize("side", [3000, 8000, 20000])
def test_icon_that_hides_a_bomb(side: int) -> None:
    """Pillow decodes an icon when it opens it, so its pictures are looked at before."""
    bitmap = (
        encoded(Image.new("1", (side, side)), "DIB") if side < 8000 else b"(\0\0\0" + struct.pack("<ii", side, side)
    )
    bitmap = bitmap[:8] + struct.pack("<i", side * 2) + bitmap[12:]
    for inner in (png_of_size(side, side), bitmap):
        with pytest.raises(Undecodable, match=f"is an icon that holds a picture of {side}x{side} pixels"):
            READER.open(icon(inner))


@pytest.mark.parametrize(
    "data", [b"\0\0\x01\0", b"\0\0\x01\0\xff\xff", icon(b"")[:20], icon(b""), icon(b"\x89PNG\r\n\x1a\n")]
)
def test_icons_cut_off(data: bytes) -> None:
    with pytest.raises(Undecodable, match=r"is damaged|is not a picture"):
        READER.open(data)


def tiled(side: int) -> bytes:
    """A TIFF of 64x64 pixels, cut from one tile of ``side`` x ``side``."""
    pixels = zlib.compress(bytes(side * side), 9) if side < 10000 else b""
    values = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 0, 325: len(pixels)}
    end = 8 + 2 + 12 * len(values) + 4
    values[324] = end
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    return b"II*\0" + struct.pack("<IH", 8, len(values)) + tags + bytes(4) + pixels


def strips(count: int) -> bytes:
    """A TIFF whose one row stands in ``count`` strips, a byte of the file for each."""
    values = ((256, 3, 1, 64), (257, 3, 1, 64), (258, 3, 1, 8), (262, 3, 1, 1), (273, 1, count, 8), (278, 3, 1, 1))
    start = struct.pack("<I", 8 + count) + b"\x08" * count + struct.pack("<H", len(values))
    return b"II*\0" + start + b"".join(struct.pack("<HHII", *value) for value in values) + bytes(4)


def scans(count: int, size: int = 200) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = encoded(Image.new("L", (size, size), 77), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (strips(200_000), "has more than 100000 strips"),
        (scans(200), "has more than 100 scans"),
        (b"\xff\xd8" + b"\xff\xe5\0\2" * 3000 + photo("cat")[2:], "has more than 2000 segments"),
    ],
)
def test_files_that_make_much_of_little(data: bytes, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        READER.open(data)


def test_what_programs_really_write_is_read() -> None:
    assert pixels(scans(20)).shape == (200, 200, 3)
    motion = photo("cat") + b"\xff\xda\0\4" * 5000  # a phone's picture with a film behind it
    assert np.array_equal(pixels(motion), pixels(photo("cat")))
    thumbnail = encoded(gradient(64, 48), "JPEG")
    exif = Image.Exif()
    exif[0x927C] = thumbnail * 3
    assert pixels(encoded(PLAIN, "JPEG", exif=exif, icc_profile=bytes(200_000))).shape == (48, 64, 3)
    assert pixels(encoded(PLAIN, "TIFF", compression="tiff_lzw")).shape == (48, 64, 3)


def test_what_a_header_does_not_tell_is_decoded_alone() -> None:
    assert READER.open(encoded(PLAIN, "AVIF")).large
    assert READER.open(encoded(Image.new("L", (3000, 3000)), "JPEG2000")).large
    assert not READER.open(encoded(PLAIN, "JPEG2000")).large


def test_texts_of_a_png() -> None:
    texts = PngInfo()
    for number in range(20):
        texts.add_text(f"text {number}", "x" * 900_000, zip=True)
    with pytest.raises(Undecodable, match=r"is damaged: .*MAX_TEXT"):
        READER.open(encoded(PLAIN, pnginfo=texts))


def test_tiles_larger_than_their_picture() -> None:
    assert pixels(tiled(256)).shape == (64, 64, 3)
    assert READER.open(tiled(6000)).large
    with pytest.raises(TooLarge):
        READER.open(tiled(46000))


def test_alpha_is_dropped_not_blended() -> None:
    image = PLAIN.copy()
    image.putalpha(Image.linear_gradient("L").resize(PLAIN.size))
    assert np.array_equal(pixels(encoded(image)), RGB)
    assert np.array_equal(pixels(encoded(image.convert("LA")))[:, :, 0], np.asarray(PLAIN.convert("L")))


def test_palette_with_transparency_is_expanded() -> None:
    image = PLAIN.quantize(32)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(pixels(encoded(image, transparency=0)), expected)
    assert np.array_equal(pixels(encoded(image, transparency=bytes(range(32)))), expected)


def test_grey_is_repeated() -> None:
    grey = PLAIN.convert("L")
    assert np.array_equal(pixels(encoded(grey)), np.repeat(np.asarray(grey)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_high_byte(kind: str) -> None:
    """The official container clips everything above 255 to white; a picture in 16 bits would be lost."""
    deep = (np.arange(64 * 48).reshape(48, 64) * 21).astype(np.uint16)
    data = encoded(Image.fromarray(deep), kind)
    assert np.array_equal(pixels(data)[:, :, 1], (deep >> 8).astype(np.uint8))


def test_cmyk_jpeg() -> None:
    data = encoded(PLAIN.convert("CMYK"), "JPEG", quality=95)
    with Image.open(BytesIO(data)) as image:
        assert image.mode == "CMYK"
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(pixels(data), expected)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (pixels(data) == (255, 0, 0)).all()


def test_exif_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(PLAIN, "JPEG", quality=95, exif=exif)
    assert np.array_equal(pixels(turned), pixels(encoded(PLAIN, "JPEG", quality=95)))


def test_multi_picture_jpeg_of_a_phone() -> None:
    data = encoded(PLAIN, "MPO", save_all=True, append_images=[gradient(64, 48, seed=3)], quality=95)
    assert np.array_equal(pixels(data), pixels(encoded(PLAIN, "JPEG", quality=95)))


def test_bytes_after_the_end_do_no_harm() -> None:
    assert np.array_equal(pixels(photo("cat") + b"trailing"), pixels(photo("cat")))


@pytest.mark.parametrize(
    ("data", "fault", "message"),
    [
        (photo("cat")[:9000], Undecodable, "is damaged: image file is truncated"),
        (encoded(PLAIN)[:-40], Undecodable, "is damaged"),
        (b"just some text", Undecodable, "is not a picture; formats read here: .*JPEG.*PNG"),
        (bytes(1000), Undecodable, "is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Undecodable, "is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", Undecodable, "is not a picture"),
        (png_of_size(20000, 20000), TooLarge, "has more than 178956970 pixels"),
        (png_of_size(1, 30000), Undecodable, "is 1x30000 pixels, more than 200 times"),
        (png_of_size(30000, 1), Undecodable, "is 30000x1 pixels, more than 200 times"),
        (png_of_size(0, 5), Undecodable, "is "),
    ],
)
def test_faults_are_named(data: bytes, fault: type[RequestFault], message: str) -> None:
    with pytest.raises(fault, match=message) as caught:
        pixels(data)
    assert " at 0x" not in str(caught.value)


def test_a_bomb_costs_no_memory() -> None:
    data = png_of_size(20000, 20000)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        pixels(data)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_limits_are_the_operators() -> None:
    reader = ImageReader(ImageLimits(max_pixels=100, max_aspect=2))
    try:
        with pytest.raises(TooLarge, match="more than 100 pixels"):
            reader.open(encoded(PLAIN))
        with pytest.raises(Undecodable, match="VECMOD_MAX_ASPECT"):
            reader.open(encoded(gradient(20, 4)))
    finally:
        ImageReader(ImageLimits(max_pixels=178_956_970, max_aspect=200))


@pytest.mark.parametrize(("size", "large"), [((6000, 4000), False), ((6000, 4001), True)])
def test_large_pictures_are_told_from_the_header(size: tuple[int, int], large: bool) -> None:
    assert READER.open(png_of_size(*size)).large is large
