"""Writes the arrays beside itself with NumPy (2.4.6 made those in the repository): `python make.py`.

The tests of rekindle-data (`src/npy/tests.rs`, `src/npz/tests.rs`) read them and know their values.
"""

import pathlib
import zipfile

import numpy as np
from numpy.lib import format as npy

here = pathlib.Path(__file__).parent


def save(name, array, version=None):
    with open(here / f"{name}.npy", "wb") as file:
        npy.write_array(file, array, version, allow_pickle=True)


for order, ends in [("<", "le"), (">", "be")]:
    # The least and the largest number of each type, and a few between.
    for code in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
        if ends == "be" and code[1] == "1":
            continue
        low, high = np.iinfo(code).min, min(np.iinfo(code).max, np.iinfo("i8").max)
        save(f"{ends}_{code}", np.array([[low, 0, 1], [2, 100, high]], order + code))
    # A subnormal, the largest number, an inexact one, and what is none.
    for code in ["f2", "f4", "f8"]:
        info = np.finfo(code)
        numbers = [0.0, -0.0, info.smallest_subnormal, info.tiny, 1 / 3, -info.max, np.inf, np.nan]
        save(f"{ends}_{code}", np.array(numbers, order + code))

save("bool", np.array([True, False, True]))
save("large_u8", np.array([[1, 2], [2**63, 3]], "<u8"))
save("scalar", np.array(0.5, "<f8"))
save("empty", np.zeros((0, 28, 28), np.uint8))
# Element (i, j, k) is 100 i + 10 j + k.
digits = np.fromfunction(lambda i, j, k: 100 * i + 10 * j + k, (2, 3, 4), dtype=np.int64)
save("fortran", np.asfortranarray(digits.astype("<i4")))
save("fortran_big", np.asfortranarray(digits.astype(">f4")))
save("version_1", digits.astype("<i2"), (1, 0))
save("version_2", digits.astype("<i2"), (2, 0))
save("version_3", digits.astype("<i2"), (3, 0))

save("object", np.array([1, None], object))
save("text", np.array(["cat", "dog"]))
save("bytes", np.array([b"cat", b"dog"]))
save("complex", np.array([1 + 2j]))
save("time", np.array(["2020-01-01"], "datetime64[D]"))
save("structured", np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]))
save("void", np.array([b"ab"], "V2"))

images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
labels = np.array([7, 2, 1], np.uint8)
np.savez(here / "stored.npz", images=images, labels=labels)
np.savez_compressed(here / "digits.npz", images=images, labels=labels)
np.savez(here / "no_arrays.npz")
np.savez(here / "unnamed.npz", images, labels)
# Names beside ASCII, in a folder, and a file that is no array.
np.savez(here / "names.npz", **{"사진": labels, "train/labels": labels})
with zipfile.ZipFile(here / "names.npz", "a") as archive:
    archive.writestr("README.txt", "no array")
    archive.comment = b"the end is before this"
# Every size in zip64's records, as in archives of more than 4 GiB.
zipfile.ZIP64_LIMIT = 10
zipfile.ZIP_FILECOUNT_LIMIT = 1
np.savez_compressed(here / "zip64.npz", images=images, labels=labels)
