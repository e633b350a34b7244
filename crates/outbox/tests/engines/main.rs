//! Each engine under the conformance suite, and what each alone promises.

mod embedded;
