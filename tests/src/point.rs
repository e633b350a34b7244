//! The points of a conversion's path at which a test may end the hub.

/// Their names, in the order in which the path leads through them.
#[rustfmt::skip]
pub const POINTS: [&str; 11] = [
    // The request of a caller is decoded.
    "decode",
    // It is checked, and its click is not looked up yet.
    "validate",
    // Its click is found, and nothing is stored.
    "click-look-up",
    // A transaction of an embedded store is whole and not committed; a script of Redis is not sent.
    "commit",
    // What the caller reported is durable, and no answer has left.
    "acknowledge",
    // A delivery is claimed, and its call is not made.
    "claim",
    // A connection to the network stands.
    "connect",
    // An attempt that must not be repeated is durably marked as begun, and no byte of it has left.
    "mark-started",
    // The kernel has the whole request, and no answer is read.
    "bytes-out",
    // The answer is read and judged, and not settled.
    "answer-in",
    // The outcome is durable, and the worker has not gone on.
    "settle",
];
