//! Where the spans of a call stand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::{BufMut, Bytes, BytesMut};
use postback_proto::v1::{self, source::Source};
use prost::Message;
use tracing::{Subscriber, span};
use tracing_subscriber::{Layer, layer::Context, prelude::*, registry::LookupSpan};

use crate::server::*;

/// The spans that were opened, and under which.
#[derive(Clone, Default)]
struct Parents(Arc<Mutex<BTreeMap<&'static str, &'static str>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Parents {
    fn on_new_span(&self, _: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent().map_or("", |parent| parent.name());
        self.0.lock().unwrap().insert(span.name(), parent);
    }
}

fn report() -> Bytes {
    let click = v1::NetworkClick { account: "nobody".into(), click_id: "c".into() };
    let request = v1::RecordConversionRequest {
        source: Some(v1::Source { source: Some(Source::NetworkClick(click)) }),
        details: Some(v1::ConversionDetails { kind: v1::Kind::Lead.into(), ..Default::default() }),
        ..Default::default()
    };
    let (mut framed, message) = (BytesMut::new(), request.encode_to_vec());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    framed.freeze()
}

#[tokio::test]
async fn a_streamed_conversion_is_recorded_in_the_span_of_its_call() {
    let parents = Parents::default();
    let _guard = tracing_subscriber::registry().with(parents.clone()).set_default();
    over_one_connection(async |client| {
        let answer = report_all(client, [report()]).await;
        assert_eq!(end_of(answer).await, "0");
        assert_eq!(parents.0.lock().unwrap().get("record"), Some(&"rpc"));
    })
    .await;
}
