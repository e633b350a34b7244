//! The operators' HTTP side: `/livez`, `/readyz` and `/metrics`.

mod meters;
mod pages;
mod server;

pub use self::{meters::metrics, pages::Console, server::serve};
