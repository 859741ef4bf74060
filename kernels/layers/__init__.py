"""An MLP's loss and gradient on the CPU, as LLVM IR: products in tiles that stay in registers."""
