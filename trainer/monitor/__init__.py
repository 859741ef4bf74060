"""What a person watches: TensorBoard, progress, and the closing table."""
