//! The postback binary.
fn main() {}
