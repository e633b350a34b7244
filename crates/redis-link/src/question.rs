//! What is asked of Redis.

use std::future::Future;

use redis::{Cmd, Pipeline, RedisResult, Value};

use crate::Connection;

/// What is sent in one go. All of it may be sent twice: a lost connection leaves open what it carried.
pub trait Question: Sync {
    /// What Redis says to it.
    type Answer: Send;

    /// Sends it on a connection, and reads the answer.
    fn put(&self, connection: &mut Connection) -> impl Future<Output = RedisResult<Self::Answer>> + Send;
}

impl Question for Cmd {
    type Answer = Value;

    async fn put(&self, connection: &mut Connection) -> RedisResult<Value> {
        self.query_async(connection).await
    }
}

impl Question for Pipeline {
    type Answer = Vec<Value>;

    async fn put(&self, connection: &mut Connection) -> RedisResult<Vec<Value>> {
        self.query_async(connection).await
    }
}
