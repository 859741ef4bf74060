"""What all kernels share: errors, gradients, launches, and caches of what is compiled."""
