"""What all kernels share: errors, gradients, launches, threads, and caches of what is compiled."""
