//! Says hello.

/// What it says.
pub const TEXT: &str = "Hello from paas\n";
