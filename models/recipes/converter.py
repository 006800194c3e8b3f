"""Runs the real tensorflowjs converter on a saved Keras model, as its command line does.

The converter imports jax and tensorflow_decision_forests for formats these recipes do not use; empty modules stand in for
them so that neither has to be installed.
"""

import json
import sys
import tempfile
import types
from pathlib import Path
from unittest.mock import MagicMock


def convert(saved: Path, target: Path, metadata: dict, *options: str) -> None:
    """Converts `saved` (.h5 or .keras) into `target`, with `metadata` as the model's userDefinedMetadata."""
    stand_in("jax", "jax.experimental", "jax.experimental.jax2tf", "tensorflow_decision_forests")
    from tensorflowjs.converters import converter

    input_format = {".h5": "keras", ".keras": "keras_keras"}[saved.suffix]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for key, value in metadata.items():
            file = Path(folder) / f"{key}.json"
            file.write_text(json.dumps(value))
            files.append(f"{key}:{file}")
        formats = [f"--input_format={input_format}", "--output_format=tfjs_layers_model"]
        converter.convert([*formats, f"--metadata={','.join(files)}", *options, str(saved), str(target)])


def stand_in(*names: str) -> None:
    for name in names:
        module = types.ModuleType(name)
        module.__getattr__ = lambda _: MagicMock()
        module.__path__ = []
        sys.modules.setdefault(name, module)
