"""Writes small Parquet files into `parquet/` beside itself, and cells.json: the text that each cell of theirs is read as.

Run it with pyarrow 26. `crates/rekindle-data/src/table/tests/parquet.rs` reads the files.
"""

import datetime
import decimal
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parquet")
os.makedirs(HERE, exist_ok=True)
cells = {}


def write(name, columns, **options):
    """Columns: name -> (array, texts). Files without texts are not in cells.json."""
    table = pa.table({column: array for column, (array, _) in columns.items()})
    pq.write_table(table, os.path.join(HERE, name + ".parquet"), store_schema=False, **options)
    if all(texts is not None for _, texts in columns.values()):
        cells[name] = {column: texts for column, (_, texts) in columns.items()}


date, time, utc = datetime.date, datetime.datetime, datetime.timezone.utc
dec = decimal.Decimal
kinds = {
    "bool": (pa.array([True, None, False]), ["true", "", "false"]),
    "int8": (pa.array([-128, None, 127], pa.int8()), ["-128", "", "127"]),
    "int32": (pa.array([-(2**31), 2**31 - 1, None], pa.int32()), ["-2147483648", "2147483647", ""]),
    "int64": (pa.array([-(2**63), None, 2**63 - 1]), ["-9223372036854775808", "", "9223372036854775807"]),
    "uint32": (pa.array([0, 2**32 - 1, None], pa.uint32()), ["0", "4294967295", ""]),
    "uint64": (pa.array([0, 2**64 - 1, None], pa.uint64()), ["0", "18446744073709551615", ""]),
    "float": (pa.array([0.1, 1e30, None], pa.float32()), ["0.1", "1e30", ""]),
    "double": (pa.array([0.1, 5e-324, float("nan")]), ["0.1", "5e-324", "NaN"]),
    "large": (pa.array([1.7976931348623157e308, -0.0, 123456789012345.6]),
              ["1.7976931348623157e308", "-0", "123456789012345.6"]),
    "infinite": (pa.array([float("inf"), -float("inf"), 1 / 3]), ["inf", "-inf", "0.3333333333333333"]),
    "text": (pa.array(["가, \"나\"\n", "", None]), ["가, \"나\"\n", "", ""]),
    "binary": (pa.array([b"ab", b"c", None], pa.binary()), ["ab", "c", ""]),
    "fixed": (pa.array([b"abc", b"def", None], pa.binary(3)), ["abc", "def", ""]),
    "date": (pa.array([date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)]), ["2024-02-29", "0001-01-01", "9999-12-31"]),
    "old": (pa.array([date(1969, 12, 31), date(1900, 3, 1), None]), ["1969-12-31", "1900-03-01", ""]),
    "stamp": (pa.array([time(2024, 2, 29), time(1969, 12, 31), None], pa.timestamp("us")), ["2024-02-29", "1969-12-31", ""]),
    "zone": (pa.array([time(2024, 2, 29, 23, 5, 7, 250000, utc), None, time(1969, 12, 31, 23, 59, 59, 1, utc)],
                      pa.timestamp("us", "UTC")), ["2024-02-29 23:05:07.25", "", "1969-12-31 23:59:59.000001"]),
    "time": (pa.array([datetime.time(23, 59, 59), datetime.time(0, 0, 0, 5000), None], pa.time32("ms")),
             ["23:59:59", "00:00:00.005", ""]),
    "dec32": (pa.array([dec("-0.05"), dec("12.30"), None], pa.decimal32(5, 2)), ["-0.05", "12.30", ""]),
    "dec64": (pa.array([dec("-1234567890.5"), dec("0"), None], pa.decimal64(15, 1)), ["-1234567890.5", "0.0", ""]),
    "dec128": (pa.array([dec("-12345678901234567890.123"), dec("7"), None], pa.decimal128(38, 3)),
               ["-12345678901234567890.123", "7.000", ""]),
    "none": (pa.nulls(3), ["", "", ""]),
}
write("kinds", kinds)
write("kinds_v1", kinds, version="1.0", store_decimal_as_integer=False)
write("kinds_v2_pages", {k: v for k, v in kinds.items()}, data_page_version="2.0", compression="zstd")
write("integer_decimals", {k: kinds[k] for k in ("dec32", "dec64")}, store_decimal_as_integer=True)

rows = range(2500)
words = ["red", "green", "blue", None]
# The test knows these cells by their rule.
mixed = {
    "n": (pa.array([None if i % 7 == 0 else i / 8 for i in rows]), None),
    "word": (pa.array([words[i % 4] for i in rows]), None),
    "i": (pa.array([i * i for i in rows]), None),
}
for compression in ("none", "snappy", "gzip", "zstd"):
    write(compression, mixed, compression=compression, row_group_size=1100, data_page_size=4096,
          use_dictionary=["word"], write_page_checksum=compression == "zstd")
write("delta", mixed, use_dictionary=False, compression="zstd",
      column_encoding={"n": "BYTE_STREAM_SPLIT", "word": "PLAIN", "i": "DELTA_BINARY_PACKED"})
write("empty", {"x": (pa.array([], pa.int64()), [])})

few = pa.array([1.5, 2.5])
write("brotli", {"x": (few, None)}, compression="brotli")
write("delta_text", {"x": (pa.array(["a", "b"]), None)}, use_dictionary=False, column_encoding={"x": "DELTA_BYTE_ARRAY"})
write("list", {"x": (few, []), "tags": (pa.array([["a"], []]), None)})
write("struct", {"x": (few, []), "place": (pa.array([{"lat": 1.0}, None]), None)})
write("int96", {"t": (pa.array([time(2024, 1, 1)], pa.timestamp("ns")), None)}, use_deprecated_int96_timestamps=True)
write("half", {"h": (pa.array([1.5], pa.float16()), None)})
write("bytes", {"b": (pa.array([b"ok", b"\xff"], pa.binary()), None)})
write("year", {"d": (pa.array([date(2024, 1, 1).toordinal() + 4000000], pa.date32()), None)})

with open(os.path.join(HERE, "cells.json"), "w") as file:
    json.dump(cells, file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
