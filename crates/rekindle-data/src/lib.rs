//! Part of Rekindle.
