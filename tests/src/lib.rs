//! Helpers that the tests of the whole share.
