"""An optimizer's rule as code: `reference` in torch, `llvm_source` and `triton_source` of whole trainings."""
