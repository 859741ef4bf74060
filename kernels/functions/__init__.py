"""Elementary functions of vectors, as LLVM IR: what a formula's machine code is made of."""
