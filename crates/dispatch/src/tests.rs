//! The dispatcher as a whole and its parts, over a double of the outbox, on a paused clock or real sockets.

mod adapter;
mod calls;
mod clock;
mod isolation;
mod judging;
mod leaf;
mod limits;
mod log;
mod look_ups;
mod on_sockets;
mod outbox;
mod proof;
mod rig;
mod server;
mod tls;
mod trouble;
mod work;
