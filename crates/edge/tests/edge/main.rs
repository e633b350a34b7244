//! The edge over real sockets: raw bytes in, raw bytes out.

mod destinations;
mod doubles;
mod ends;
mod measured;
mod redirects;
mod refusals;
mod visitor;
