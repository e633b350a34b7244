//! Names are looked up so many at once.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt};

/// How many look-ups run at once. Each takes one of the threads with which the embedded stores read, and where the
/// system's resolver hangs it keeps that for longer than any call waits.
const AT_ONCE: usize = 64;

/// Looks names up. Clones share the bound.
#[derive(Clone)]
pub(crate) struct Names<R = GaiResolver> {
    resolver: R,
    places: Arc<Semaphore>,
}

impl<R> Names<R> {
    pub(crate) fn new(resolver: R) -> Self {
        Self { resolver, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl<R> Service<Name> for Names<R>
where
    R: Service<Name, Error = io::Error> + Clone + Send + 'static,
    R::Response: Send,
    R::Future: Send,
{
    type Response = R::Response;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<R::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { resolver, places } = self.clone();
        Box::pin(async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            // A caller that goes away ends no look-up.
            let found = tokio::spawn(async move {
                let _place = place;
                resolver.oneshot(name).await
            });
            found.await.map_err(io::Error::other)?
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::{JoinSet, yield_now};
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn a_resolver_that_hangs_takes_so_many_threads_and_no_more() {
        let (begun, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (count, end) = (begun.clone(), ends.clone());
        let names = Names::new(service_fn(move |_: Name| {
            count.fetch_add(1, Ordering::Relaxed);
            let end = end.clone();
            async move { end.acquire().await.map(|permit| permit.forget()).map_err(io::Error::other) }
        }));
        let under_way = async || {
            for _ in 0..8 {
                yield_now().await;
            }
            begun.load(Ordering::Relaxed)
        };
        let mut callers = JoinSet::new();
        for _ in 0..=AT_ONCE {
            callers.spawn(names.clone().oneshot("a.example".parse().unwrap()));
        }
        assert_eq!(under_way().await, AT_ONCE);
        callers.shutdown().await;
        callers.spawn(names.oneshot("a.example".parse().unwrap()));
        assert_eq!(under_way().await, AT_ONCE, "the callers went away, and the look-ups did not");
        ends.add_permits(1);
        assert_eq!(under_way().await, AT_ONCE + 1);
    }
}
