//! PyTorch-like display of tensors.
