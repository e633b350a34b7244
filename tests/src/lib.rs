//! Helpers that the tests of the whole share: a hub over real sockets with a clock of its own, a visitor, a caller.

mod caller;
mod house;
pub mod night;
mod point;
mod process;
mod visitor;
mod wait;

pub use caller::{Caller, Credentials, Signed, click, details, goal, lead, money, order, token, user};
pub use house::{Engine, House, recorder};
pub use point::POINTS;
pub use process::{Postback, Ran, Started, free_address};
pub use visitor::{Answer, Visitor};
pub use wait::{until, within};

/// Runs each of these tests on both engines.
#[macro_export]
macro_rules! on_both {
    ($($name:ident)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::Engine::Embedded).await })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::Engine::Redis).await })*
        }
    };
}
