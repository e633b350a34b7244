//! A network's door: an address of its own, so that one network can be away alone.

use std::{io, net::SocketAddr};

use anyhow::Context;
use postback_sandbox::{Network, Sandbox};
use tokio::{net::TcpListener, task::JoinHandle};

/// The address at which one network is called.
pub(crate) struct Door {
    pub(crate) network: Network,
    pub(crate) address: SocketAddr,
    sandbox: Sandbox,
    open: Option<JoinHandle<io::Result<()>>>,
}

impl Door {
    /// Opens it.
    pub(crate) async fn at(address: SocketAddr, network: Network, sandbox: &Sandbox) -> anyhow::Result<Self> {
        let mut door = Self { network, address, sandbox: sandbox.clone(), open: None };
        door.open().await?;
        Ok(door)
    }

    /// Opens it where it was, after [`Door::close`].
    pub(crate) async fn open(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await.context("a network's address was taken")?;
        let sandbox = self.sandbox.clone();
        let served = async move { sandbox.serve(listener, std::future::pending()).await };
        self.open = Some(tokio::spawn(served));
        Ok(())
    }

    /// Closes it: nobody listens, and what was under way is cut.
    pub(crate) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            // Aborted, so its result says nothing.
            let _ = open.await;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.abort();
        }
    }
}
