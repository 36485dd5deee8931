"""Reads an object with Python's own modules and prints what it finds as JSON.

inspect.py CONTAINER LAYOUT FILE
"""
import gzip
import hashlib
import json
import subprocess
import sys
import zipfile

container, layout, path = sys.argv[1:]
found = {}
if container == "zip":
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
        found["entries"] = [
            {
                "name": entry.filename,
                "time": "%04d-%02d-%02dT%02d:%02d:%02d" % entry.date_time,
                "deflated": entry.compress_type == zipfile.ZIP_DEFLATED,
                "encrypted": bool(entry.flag_bits & 1),
                "mode": oct(entry.external_attr >> 16 & 0o777),
                "bytes": entry.file_size,
            }
            for entry in entries
        ]
        content = archive.read(entries[0])
elif container == "gzip":
    raw = open(path, "rb").read()
    found["mtime"] = int.from_bytes(raw[4:8], "little")
    content = gzip.decompress(raw)
elif container == "zstd":
    content = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    listed = subprocess.run(["zstd", "-lv", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    found["frames"] = int(listed.partition("# Zstandard Frames: ")[2].split("\n")[0])
    found["check"] = listed.partition("Check: ")[2].split()[0]
else:
    content = open(path, "rb").read()

text = content.decode("utf-8")  # strict: fails on anything that is not UTF-8
found["bom"] = text.startswith("\ufeff")
found["sha256"] = hashlib.sha256(content).hexdigest()
found["bytes"] = len(content)
found["ends_with_newline"] = text.endswith("\n")
# str.splitlines also splits at U+0085, U+2028 and U+2029, as readers of lines do.
lines = text.splitlines()
if layout == "array" and text != "[]\n":
    json.loads(text)
    assert lines[0] == "[" and lines[-1] == "]", (lines[0], lines[-1])
    body = lines[1:-1]
    assert all(line.endswith("},") for line in body[:-1]) and body[-1].endswith("}")
    lines = [line.rstrip(",") for line in body]
elif layout == "array":
    lines = []
found["records"] = [list(json.loads(line).items()) for line in lines]
print(json.dumps(found))
