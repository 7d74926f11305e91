"""One small interface to programs that show how runs go: TensorBoard, trackio, W&B, MLflow."""
