//! Asks every caller who it is, and whether it may.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures_util::future::Either;
use postback_access::{Access, Caller, Scope, bearer};
use tonic::{
    Code, Status,
    codegen::http::{Request, Response, header::AUTHORIZATION},
};
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, Service, layer::layer_fn};

use crate::{connection::Peer, methods, observe::REFUSED, status::DOMAIN};

/// The layer that asks.
pub(crate) fn layer<S>(access: Access) -> impl Layer<S, Service = Ask<S>> + Clone {
    layer_fn(move |inner| Ask { inner, access: access.clone() })
}

/// A server whose callers are asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask<S> {
    inner: S,
    access: Access,
}

impl<S, B, R> Service<Request<B>> for Ask<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match admit(&self.access, &request) {
            Ok(None) => Either::Left(self.inner.call(request)),
            Ok(Some(caller)) => {
                request.extensions_mut().insert(caller);
                Either::Left(self.inner.call(request))
            }
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

/// Who calls, where anybody is asked and the method wants to know.
fn admit<B>(access: &Access, request: &Request<B>) -> Result<Option<Caller>, Status> {
    if access.is_open() {
        return Ok(None);
    }
    let path = request.uri().path();
    let Some(scope) = methods::scope(path) else { return Ok(None) };
    let peer = request.extensions().get::<Peer>();
    let token = request.headers().get(AUTHORIZATION).map(|header| bearer(header.as_bytes()));
    let certificate = peer.and_then(|peer| peer.certificate.as_deref());
    let refused = |reason: &'static str, caller: &str| {
        let method = methods::name(path);
        metrics::counter!(REFUSED, "method" => method, "reason" => reason).increment(1);
        let address = peer.map(|peer| peer.address.to_string()).unwrap_or_default();
        tracing::warn!(method, reason, caller, peer = address, "a caller is refused");
    };
    let caller = access.identify(token, certificate).map_err(|stranger| {
        refused(stranger.reason(), "");
        let details = ErrorDetails::with_error_info(stranger.reason().to_ascii_uppercase(), DOMAIN, []);
        Status::with_error_details(Code::Unauthenticated, stranger.to_string(), details)
    })?;
    if caller.may(scope) {
        return Ok(Some(caller));
    }
    refused("missing_scope", caller.name());
    Err(missing(scope, caller.name()))
}

fn missing(scope: Scope, caller: &str) -> Status {
    let named = [("scope".to_owned(), scope.to_string()), ("caller".to_owned(), caller.to_owned())];
    let details = ErrorDetails::with_error_info("MISSING_SCOPE", DOMAIN, named);
    let message = format!("`{caller}` does not have the scope `{scope}`, which this method wants");
    Status::with_error_details(Code::PermissionDenied, message, details)
}
