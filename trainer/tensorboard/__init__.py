"""What TensorBoard shows of a pack."""
