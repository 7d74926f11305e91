"""A run's networks for other programs: ONNX, plain PyTorch, safetensors with a model card."""
