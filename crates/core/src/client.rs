//! One call through any [`Service`]: for teams that use an adapter crate alone.

use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

/// Waits until `service` is ready, and sends `request`.
///
/// # Errors
/// Whatever the service fails with.
pub async fn send<S>(service: &mut S, request: Request<Bytes>) -> Result<Response<Bytes>, S::Error>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}
