"""Reads what lies below FOLDER/ACCOUNT/ with Python alone: for each account its lines,
their bytes and the SHA-256 of all of them in the order of the files' names."""
import gzip, hashlib, os, sys, zipfile

folder = sys.argv[1]
for account in sorted(os.listdir(folder)):
    lines, size, sha256 = 0, 0, hashlib.sha256()
    files = []
    for below, _, names in os.walk(os.path.join(folder, account)):
        files += [os.path.join(below, name) for name in names]
    for path in sorted(files):
        if path.endswith(".zip"):
            archive = zipfile.ZipFile(path)
            (entry,) = archive.namelist()
            content = archive.open(entry)
        else:
            content = gzip.open(path) if path.endswith(".gz") else open(path, "rb")
        with content:
            while block := content.read(1 << 20):
                lines += block.count(b"\n")
                size += len(block)
                sha256.update(block)
    print(account, len(files), lines, size, sha256.hexdigest())
