#!/usr/bin/env bash
# Makes the environments that are missing and trains, converts and measures every model of models/ again.
#
#   models/recipes/all.sh
#
# MODELS_CACHE  where environments and working files live (default: .cache/models in the repository root)
# PYTHON        a Python 3.11 (default: python3.11)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${MODELS_CACHE:-$root/.cache/models}
python=${PYTHON:-python3.11}
mkdir -p "$cache/work"
cache=$(cd "$cache" && pwd)
export PYTHONDONTWRITEBYTECODE=1

# An environment is complete when its stamp equals the resolved pins.
environment() { # data | keras2 | keras3
  local folder=$cache/$1 pins=$here/requirements-$1.txt shared=$root/tests/conformance/generate/requirements-$1.txt
  local wanted
  wanted=$(cat "$pins"; if [[ -f $shared ]]; then cat "$shared"; fi)
  if [[ ! -f $folder/stamp || $(<"$folder/stamp") != "$wanted" ]]; then
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/pip" install --quiet --no-deps --requirement "$pins"
    printf '%s\n' "$wanted" >"$folder/stamp"
  fi
}

run() { # environment, script
  "$cache/$1/bin/python" -u "$here/$2" "$cache/work"
}

for name in data keras2 keras3; do environment "$name"; done
(cd "$here" && npm ci --ignore-scripts)

run data iris/data.py
run keras2 iris/train.py

run data digits/data.py
node "$here/digits/train.mjs" "$cache/work"
run keras3 digits-keras/train.py
run data digits/samples.py
node "$here/digits/expect.mjs" "$cache/work"
run keras3 digits-keras/expect.py
