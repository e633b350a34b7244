//! The end of streams that are open as the server ends.

use futures_util::{
    Stream, StreamExt,
    stream::{BoxStream, iter, unfold},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::{
    pb::{
        HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus::NotServing,
        health_server::Health,
    },
    server::HealthService,
};

use crate::status::ending;

/// A stream until its own end, or UNAVAILABLE at the shutdown.
pub(crate) fn until<T>(
    shutdown: CancellationToken,
    stream: impl Stream<Item = Result<T, Status>>,
) -> impl Stream<Item = Result<T, Status>> {
    unfold((Some(Box::pin(stream)), shutdown), async |(stream, shutdown)| {
        let mut stream = stream?;
        match shutdown.run_until_cancelled(stream.next()).await {
            Some(next) => Some((next?, (Some(stream), shutdown))),
            None => Some((Err(ending()), (None, shutdown))),
        }
    })
}

/// The health service, whose watchers are let go once they know that nothing is served any more.
pub(crate) struct Watched(pub(crate) HealthService);

#[tonic::async_trait]
impl Health for Watched {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.check(request).await
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let told = self.0.watch(request).await?.into_inner();
        let told = told.flat_map(|told| {
            let last = told.as_ref().is_ok_and(|told| told.status() == NotServing);
            iter([told].into_iter().chain(last.then(|| Err(ending()))))
        });
        Ok(Response::new(told.boxed()))
    }
}
