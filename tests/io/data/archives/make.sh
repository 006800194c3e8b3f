#!/bin/sh
# Makes the archives in this folder with common tools. Each contains a folder `m` with a model.json (`{}`)
# and a weights.bin (the bytes 0 to 255, four times). Made with Info-ZIP 3.0, GNU tar 1.34 and Python 3.11;
# the archives are committed, so that the tests do not need these tools.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mkdir -p "$work/m"
cd "$work"
printf '{}' > m/model.json
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4)' > m/weights.bin
touch -d '2024-01-01T00:00:00Z' m m/model.json m/weights.bin
zip -q -r "$here/info-zip.zip" m
zip -q -r -0 "$here/info-zip-stored.zip" m
cat m/weights.bin | (cd m && zip -q "$here/info-zip-stream.zip" model.json -) && printf '@ -\n@=weights.bin\n' | zipnote -w "$here/info-zip-stream.zip"
zip -q -r -P secret "$here/info-zip-encrypted.zip" m
(cd m && zip -q "$here/self-extracting.zip" model.json weights.bin)
printf '#!/bin/sh\nexec unzip "$0"\n' | cat - "$here/self-extracting.zip" > "$work/sfx" && mv "$work/sfx" "$here/self-extracting.zip"
for format in v7 oldgnu gnu ustar posix; do tar --format=$format -cf "$here/gnu-$format.tar" m; done
tar -czf "$here/gnu.tar.gz" m
python3 - "$here" <<'P'
import sys, tarfile, zipfile
here = sys.argv[1]
long = "m/" + "weights-of-a-name-that-is-too-long-for-the-header-of-a-tar/" * 3 + "weights.bin"
for name, form in [("python-gnu-long.tar", tarfile.GNU_FORMAT), ("python-pax-long.tar", tarfile.PAX_FORMAT)]:
    with tarfile.open(f"{here}/{name}", "w", format=form) as t:
        t.add("m/model.json")
        t.add("m/weights.bin", arcname=long)
with zipfile.ZipFile(f"{here}/python.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.write("m/model.json"); z.write("m/weights.bin")
with zipfile.ZipFile(f"{here}/python-zip64.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for f in ["m/model.json", "m/weights.bin"]:
        with z.open(f, "w", force_zip64=True) as out: out.write(open(f, "rb").read())
for name, method in [("python-bzip2.zip", zipfile.ZIP_BZIP2), ("python-lzma.zip", zipfile.ZIP_LZMA)]:
    with zipfile.ZipFile(f"{here}/{name}", "w", method) as z:
        z.write("m/model.json"); z.write("m/weights.bin")
P
rm -r "$work"
