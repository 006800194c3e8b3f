"""Runs family scripts one after the other in one process, since importing TensorFlow takes longer than most of them."""

import runpy
import sys
import traceback
from pathlib import Path

import golden

failed = []
for script in sys.argv[1:]:
    before = len(golden.written)
    try:
        runpy.run_path(str(Path(script).resolve()))
    except Exception:
        traceback.print_exc()
        failed.append(script)
    print(f"{golden.PRODUCER}: {script}: {len(golden.written) - before} cases", flush=True)
sys.exit(bool(failed))
