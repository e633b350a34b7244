//! The whole dispatcher, and its parts against real sockets.
