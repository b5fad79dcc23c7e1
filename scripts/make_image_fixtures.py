"""Image files of every kind the decoder reads, and what Pillow makes of them.

    python scripts/make_image_fixtures.py --out tests/fixtures/images
    python scripts/make_image_fixtures.py --pictures DIR PHOTO...

The first form writes the files and `expected.safetensors`: for each file, under its name, the RGB
picture [H, W, 3] of `Image.open(file).convert("RGB")`; under `resize.FILTER.*`, Pillow's resizes
of `resize.source`; under `transform.WxH.*`, what the released code of each network makes of
`transform.WxH.source` at side 32. The second writes `DIR/pictures.safetensors` for photographs:
`{i}.decoded`, `{i}.ram.resized` and `{i}.tagood.resized` at side 384, with their names in the
metadata. Needs numpy, safetensors and Pillow 10.4.
"""

import argparse
import io
import json
import os
import struct
import zlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

SEED = 7


def picture(width, height, seed=SEED):
    """Smooth ramps with one hard edge, so that filters and chroma both matter."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    phase = rng.uniform(0, 2 * np.pi, 3)
    waves = [127 + 90 * np.sin(x / (3 + c) + phase[c]) * np.cos(y / (4 + c)) for c in range(3)]
    rgb = np.stack(waves, -1)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (230, 20, 60)
    return np.clip(rgb + rng.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8)


def png(width, height, depth, colour_type, rows, extra=b""):
    """A PNG from packed rows: Pillow cannot write 16-bit colour itself."""

    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk_trns(data):
    return struct.pack(">I", len(data)) + b"tRNS" + data + struct.pack(">I", zlib.crc32(b"tRNS" + data))


def bmp16(rgb, masks):
    """A 16-bit BMP: 5-5-5 without masks, or with the given BI_BITFIELDS masks (5-6-5)."""
    height, width, _ = rgb.shape
    wide = rgb.astype(np.uint32)
    if masks:
        packed = (wide[..., 0] >> 3) << 11 | (wide[..., 1] >> 2) << 5 | wide[..., 2] >> 3
    else:
        packed = (wide[..., 0] >> 3) << 10 | (wide[..., 1] >> 3) << 5 | wide[..., 2] >> 3
    stride = (width * 2 + 3) // 4 * 4
    rows = b"".join(r.astype("<u2").tobytes().ljust(stride, b"\0") for r in packed[::-1])
    extra = struct.pack("<III", 0xF800, 0x7E0, 0x1F) if masks else b""
    start = 54 + len(extra)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 16, 3 if masks else 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + extra + rows


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpegs():
    big = Image.fromarray(picture(29, 17))
    for name, options in {
        "rgb_444": dict(subsampling=0),
        "rgb_422": dict(subsampling=1),
        "rgb_420": dict(subsampling=2),
        "progressive": dict(subsampling=2, progressive=True),
        "restart": dict(subsampling=0, restart_marker_blocks=2),
    }.items():
        yield f"{name}.jpg", saved(big, "JPEG", quality=90, **options)
    yield "gray.jpg", saved(big.convert("L"), "JPEG", quality=90)
    cmyk = saved(big.convert("CMYK"), "JPEG", quality=90)
    yield "cmyk.jpg", cmyk
    yield "cmyk_420.jpg", saved(big.convert("CMYK"), "JPEG", quality=90, subsampling=2)
    # The same coefficients read as YCCK: only the transform byte of the Adobe marker changes.
    at = cmyk.index(b"Adobe") + 11
    yield "ycck.jpg", cmyk[:at] + b"\x02" + cmyk[at + 1 :]
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "oriented.jpg", saved(Image.fromarray(picture(17, 9)), "JPEG", quality=90, subsampling=0, exif=exif)


def pngs(rgb, rng):
    height, width, _ = rgb.shape
    image = Image.fromarray(rgb)
    alpha = rng.integers(0, 256, (height, width, 1), dtype=np.uint8)
    yield "rgb.png", saved(image, "PNG")
    yield "rgba.png", saved(Image.fromarray(np.concatenate([rgb, alpha], -1)), "PNG")
    yield "gray.png", saved(image.convert("L"), "PNG")
    gray_alpha = np.concatenate([np.asarray(image.convert("L"))[..., None], alpha], -1)
    yield "gray_alpha.png", saved(Image.fromarray(gray_alpha, "LA"), "PNG")
    palette = image.quantize(16)
    yield "palette.png", saved(palette, "PNG")
    yield "palette_transparent.png", saved(palette, "PNG", transparency=3)
    yield "one_bit.png", saved(image.convert("1"), "PNG")
    crumbs = [bytes(rng.integers(0, 256, (width + 3) // 4, dtype=np.uint8)) for _ in range(height)]
    yield "gray_2bit.png", png(width, height, 2, 0, crumbs)
    wide = rng.integers(0, 65536, (height, width, 4), dtype=np.uint16)
    low = rng.integers(0, 600, (height, width), dtype=np.uint16)
    yield "gray_16.png", png(width, height, 16, 0, [r.astype(">u2").tobytes() for r in low])
    yield "rgb_16.png", png(width, height, 16, 2, [r.astype(">u2").tobytes() for r in wide[..., :3]])
    yield "rgba_16.png", png(width, height, 16, 6, [r.astype(">u2").tobytes() for r in wide])
    yield "gray_alpha_16.png", png(width, height, 16, 4, [r.astype(">u2").tobytes() for r in wide[..., :2]])
    clear = struct.pack(">H", int(low[0, 0]))
    rows = [r.astype(">u2").tobytes() for r in low]
    yield "gray_16_keyed.png", png(width, height, 16, 0, rows, chunk_trns(clear))
    key = struct.pack(">HHH", *(int(v) for v in rgb[0, 0]))
    yield "rgb_keyed.png", png(width, height, 8, 2, [r.tobytes() for r in rgb], chunk_trns(key))


def gifs(rgb):
    image = Image.fromarray(rgb).quantize(16)
    yield "plain.gif", saved(image, "GIF")
    yield "transparent.gif", saved(image, "GIF", transparency=5)
    later = Image.fromarray(rgb[::-1].copy()).quantize(16)
    yield "animated.gif", saved(image, "GIF", save_all=True, append_images=[later], duration=80)
    # A frame smaller than the screen: widen the logical screen of the files above.
    for name, base in (("inset.gif", saved(image, "GIF")), ("inset_transparent.gif", saved(image, "GIF", transparency=5))):
        width, height = struct.unpack("<HH", base[6:10])
        base = base[:6] + struct.pack("<HH", width + 5, height + 3) + base[10:]
        at = base.index(b",\0\0\0\0" + struct.pack("<HH", width, height))
        yield name, base[: at + 1] + struct.pack("<HH", 2, 1) + base[at + 5 :]


def webps(rgb, rng):
    image = Image.fromarray(rgb)
    big = Image.fromarray(picture(29, 17))
    alpha = rng.integers(0, 256, rgb.shape[:2] + (1,), dtype=np.uint8)
    rgba = Image.fromarray(np.concatenate([rgb, alpha], -1))
    yield "lossy.webp", saved(big, "WEBP", quality=85)
    yield "lossless.webp", saved(image, "WEBP", lossless=True)
    yield "lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    later = Image.fromarray(rgb[::-1].copy())
    yield "animated.webp", saved(image, "WEBP", lossless=True, save_all=True, append_images=[later])
    yield "animated_alpha.webp", saved(
        rgba, "WEBP", lossless=True, exact=True, save_all=True, append_images=[later.convert("RGBA")]
    )


def bmps(rgb):
    image = Image.fromarray(rgb)
    yield "rgb.bmp", saved(image, "BMP")
    yield "palette.bmp", saved(image.quantize(16), "BMP")
    yield "gray.bmp", saved(image.convert("L"), "BMP")
    yield "one_bit.bmp", saved(image.convert("1"), "BMP")
    yield "rgb_32.bmp", saved(image.convert("RGBA"), "BMP")
    yield "rgb_555.bmp", bmp16(rgb, False)
    yield "rgb_565.bmp", bmp16(rgb, True)


def tiff_palette_4bit(rng):
    """A TIFF of 7×3 pixels with 4-bit indices, big endian, which Pillow only reads."""
    width, height = 7, 3
    colors = rng.integers(0, 65536, 48, dtype=np.uint16).astype(">u2").tobytes()
    pixels = bytes(rng.integers(0, 256, height * (width + 1) // 2, dtype=np.uint8))
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 4), (259, 3, 1, 1), (262, 3, 1, 3)]
    at = 8 + 2 + 12 * 10 + 4
    entries += [(273, 4, 1, at + 96), (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, len(pixels)), (320, 3, 48, at)]
    value = lambda kind, count, v: struct.pack(">HH", v, 0) if kind == 3 and count == 1 else struct.pack(">I", v)
    table = b"".join(struct.pack(">HHI", tag, kind, count) + value(kind, count, v) for tag, kind, count, v in entries)
    return b"MM\0*" + struct.pack(">IH", 8, len(entries)) + table + bytes(4) + colors + pixels


def tiffs(rgb, rng):
    image = Image.fromarray(rgb)
    height, width, _ = rgb.shape
    low = rng.integers(0, 600, (height, width), dtype=np.uint16)
    yield "rgb.tif", saved(image, "TIFF")
    yield "rgb_lzw.tif", saved(image, "TIFF", compression="tiff_lzw")
    yield "rgb_deflate.tif", saved(image, "TIFF", compression="tiff_adobe_deflate")
    yield "gray.tif", saved(image.convert("L"), "TIFF")
    yield "one_bit.tif", saved(image.convert("1"), "TIFF")
    yield "gray_16.tif", saved(Image.fromarray(low), "TIFF")
    yield "rgba.tif", saved(image.convert("RGBA"), "TIFF")
    yield "jpeg.tif", saved(Image.fromarray(picture(29, 17)), "TIFF", compression="jpeg")
    yield "ycbcr_jpeg.tif", saved(Image.fromarray(picture(29, 17)).convert("YCbCr"), "TIFF", compression="jpeg")
    yield "palette.tif", saved(image.quantize(200), "TIFF", compression="tiff_lzw")
    yield "palette_4bit.tif", tiff_palette_4bit(rng)
    yield "big.tif", saved(image, "TIFF", big_tiff=True)
    yield "gray_alpha.tif", saved(image.convert("LA"), "TIFF")
    yield "float.tif", saved(Image.fromarray((low - 100).astype(np.float32)), "TIFF")
    yield "int32.tif", saved(Image.fromarray(low.astype(np.int32) - 100), "TIFF")
    yield "cmyk.tif", saved(image.convert("CMYK"), "TIFF")
    exif = Image.Exif()
    exif[0x0112] = 6  # Pillow turns a TIFF while loading it
    yield "oriented.tif", saved(image, "TIFF", exif=exif)


def transforms(image, side):
    """The square that each network's released code makes."""
    yield "ram", image.resize((side, side), Image.BILINEAR)
    yield "tagood", image.resize((side + 8, side + 8), Image.BILINEAR).crop((4, 4, side + 4, side + 4))
    width, height = image.size
    longer = int(side * max(width, height) / min(width, height))
    size = (side, longer) if width <= height else (longer, side)
    left, top = (int(round((length - side) / 2.0)) for length in size)
    for name, method in (("clip", Image.BICUBIC), ("clip-bilinear", Image.BILINEAR)):
        yield name, image.resize(size, method).crop((left, top, left + side, top + side))


def make(out):
    rng = np.random.default_rng(SEED)
    rgb = picture(10, 9)
    os.makedirs(out, exist_ok=True)
    expected = {}
    for files in (jpegs(), pngs(rgb, rng), gifs(rgb), webps(rgb, rng), bmps(rgb), tiffs(rgb, rng)):
        for name, data in files:
            with open(os.path.join(out, name), "wb") as file:
                file.write(data)
            expected[name] = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).copy()
    source = picture(37, 23)
    expected["resize.source"] = source
    for name, method in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        for width, height in ((12, 12), (16, 16), (37, 12), (16, 23), (41, 27), (300, 5)):
            resized = Image.fromarray(source).resize((width, height), method)
            expected[f"resize.{name}.{width}x{height}"] = np.asarray(resized).copy()
    for width, height in ((45, 31), (31, 45), (33, 32), (5, 7), (32, 32), (120, 9), (9, 120)):
        source = picture(width, height)
        expected[f"transform.{width}x{height}.source"] = source
        for name, square in transforms(Image.fromarray(source), 32):
            expected[f"transform.{width}x{height}.{name}"] = np.asarray(square).copy()
    save_file(dict(sorted(expected.items())), os.path.join(out, "expected.safetensors"))


def photographs(out, paths):
    arrays = {}
    for i, path in enumerate(paths):
        image = Image.open(path).convert("RGB")
        arrays[f"{i}.decoded"] = np.asarray(image).copy()
        arrays[f"{i}.ram.resized"] = np.asarray(image.resize((384, 384), Image.BILINEAR)).copy()
        larger = np.asarray(image.resize((392, 392), Image.BILINEAR))
        arrays[f"{i}.tagood.resized"] = larger[4:388, 4:388].copy()
    os.makedirs(out, exist_ok=True)
    about = {"about": json.dumps({"photos": [os.path.basename(p) for p in paths]})}
    save_file(arrays, os.path.join(out, "pictures.safetensors"), metadata=about)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for the files and expected.safetensors")
    parser.add_argument("--pictures", help="folder for pictures.safetensors of the photographs named")
    parser.add_argument("photos", nargs="*")
    args = parser.parse_args()
    if args.out:
        make(args.out)
    if args.pictures:
        photographs(args.pictures, args.photos)


if __name__ == "__main__":
    main()
