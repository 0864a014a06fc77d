//! Kernel module.
