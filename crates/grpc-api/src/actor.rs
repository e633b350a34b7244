//! Who calls.

use postback_core::Actor;
use tonic::Request;

/// The caller's name, for the trail of actions: `local` where nobody is asked who they are.
pub(crate) fn actor<T>(request: &Request<T>) -> Actor {
    request.extensions().get::<Actor>().cloned().unwrap_or_else(Actor::local)
}
