//! Who calls.

use postback_access::Caller;
use postback_core::Actor;
use tonic::Request;

/// The caller's name, for the trail of actions: `local` where nobody is asked who they are.
pub(crate) fn actor<T>(request: &Request<T>) -> Actor {
    let caller = request.extensions().get::<Caller>();
    caller.and_then(|caller| Actor::parse(caller.name()).ok()).unwrap_or_else(Actor::local)
}
