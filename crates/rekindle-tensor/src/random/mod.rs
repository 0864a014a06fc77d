//! Random streams, bit for bit those of PyTorch and NumPy.
