#!/usr/bin/env bash
# Makes the environments that are missing and rewrites tests/conformance/cases and tests/goldens with the real TensorFlow.js, the real
# Keras and the real TensorFlow.
#
#   generate/all.sh                    every case of every producer, and tests/goldens
#   generate/all.sh tfjs keras3        only these producers
#   generate/all.sh gradients          only tests/goldens/gradients
#   generate/all.sh training           only tests/goldens/training
#   generate/all.sh networks           only tests/goldens/networks
#   generate/all.sh --large NETWORK    only this network of keras2/large.py, into the cache; never committed
#
# GOLDEN_CACHE  where environments live (default: .cache/golden in the repository root)
# PYTHON        a Python 3.11 (default: python3.11)
# PYTHON36      a Python 3.6 for Keras 1 (default: python3.6)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
goldens=$root/tests/goldens
cache=${GOLDEN_CACHE:-$root/.cache/golden}
python=${PYTHON:-python3.11}
python36=${PYTHON36:-python3.6}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# An environment is complete when its stamp equals the file that pins it.
node_environment() {
  local folder=$cache/node
  if ! cmp -s "$here/package-lock.json" "$folder/stamp"; then
    rm -rf "$folder" && mkdir -p "$folder"
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$folder/"
    (cd "$folder" && npm ci)
    cp "$here/package-lock.json" "$folder/stamp"
  fi
  export GOLDEN_NODE=$folder
}

python_environment() { # 1 | 2 | 2-theano | 3
  local folder=$cache/keras$1 pins=$here/requirements-keras$1.txt with=$python old=
  case $1 in 1 | 2-theano) old=yes with=$python36 ;; esac
  if ! cmp -s "$pins" "$folder/stamp"; then
    rm -rf "$folder"
    "$with" -m venv "$folder"
    # These need the tools of their time.
    if [[ $old ]]; then "$folder/bin/pip" install --quiet 'pip==21.3.1' 'setuptools==57.5.0' 'wheel==0.37.1'; fi
    "$folder/bin/pip" install --quiet --no-deps --requirement "$pins"
    cp "$pins" "$folder/stamp"
  fi
}

run_python() { # 2 | 3, then the arguments of python
  local keras=$1
  shift
  (cd "$here" && GOLDEN_KERAS=$keras PYTHONPATH=lib PYTHONDONTWRITEBYTECODE=1 "$cache/keras$keras/bin/python" -u "$@")
}

tfjs() {
  node_environment
  for script in "$here"/tfjs/*.mjs; do node "$script"; done
}

run_old() { # the environment, the backend, then scripts
  local folder=$cache/keras$1 backend=$2
  shift 2
  (cd "$here" && KERAS_BACKEND=$backend PYTHONPATH=lib PYTHONDONTWRITEBYTECODE=1 "$folder/bin/python" -u lib/golden_old.py "$@")
}

keras1() {
  python_environment 1
  for backend in tensorflow theano; do run_old 1 "$backend" keras1/*.py; done
}

keras2() {
  python_environment 2
  run_python 2 lib/run.py families/*.py keras2/op_lambda.py keras2/open_shape.py keras2/functions_of_tf.py keras2/tf_op_layer.py \
    keras2/group_mask.py keras2/more_functions.py keras2/argument_forms.py
  python_environment 2-theano
  run_old 2-theano theano keras2/theano.py
}

keras3() {
  python_environment 3
  run_python 3 lib/run.py families/*.py keras3/*.py
}

gradients() {
  python_environment 2
  GOLDEN_CASES=$cache/unused run_python 2 "$goldens/gradients/make.py"
}

training() {
  node_environment
  python_environment 2
  python_environment 3
  for keras in 2 3; do GOLDEN_CASES=$cache/unused run_python "$keras" "$goldens/training/make.py"; done
  node "$goldens/training/make.mjs"
}

networks() {
  python_environment 2
  GOLDEN_CASES=$cache/unused run_python 2 "$goldens/networks/make.py"
}

if [[ ${1:-} == --large ]]; then
  python_environment 2
  GOLDEN_CASES=$cache/unused run_python 2 keras2/large.py "$2" "$cache/$2"
  exit
fi

# Cases are made aside and moved in when a whole producer succeeded: a failed run changes nothing.
cd "$here"
export GOLDEN_CASES=$cache/cases
for producer in "${@:-tfjs keras1 keras2 keras3 gradients training networks}"; do
  for name in $producer; do
    case $name in
      tfjs | keras1 | keras2 | keras3) ;;
      gradients | training | networks) "$name"; continue ;;
      *) echo "unknown producer \`$name\`: expected tfjs, keras1, keras2, keras3, gradients, training or networks" >&2; exit 2 ;;
    esac
    rm -rf "${GOLDEN_CASES:?}/$name"
    mkdir -p "$GOLDEN_CASES/$name"
    "$name"
    rm -rf "${here:?}/../cases/$name"
    mkdir -p "$here/../cases"
    mv "$GOLDEN_CASES/$name" "$here/../cases/$name"
  done
done
