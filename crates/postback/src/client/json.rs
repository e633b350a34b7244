//! Messages of the contract as JSON, under the names that the contract gives their fields.

use std::sync::LazyLock;

use anyhow::Context;
use postback_proto::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use super::failure::Failure;

static POOL: LazyLock<Result<DescriptorPool, prost_reflect::DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS));

/// Fields by the contract's names, numbers as numbers, and what is empty or 0 said too.
const OPTIONS: SerializeOptions = SerializeOptions::new()
    .use_proto_field_name(true)
    .stringify_64_bit_integers(false)
    .skip_default_fields(false);

fn descriptor(name: &str) -> anyhow::Result<MessageDescriptor> {
    let pool = POOL.as_ref().context("the contract cannot be read")?;
    pool.get_message_by_name(&format!("postback.v1.{name}")).with_context(|| format!("no message {name}"))
}

/// A message, by its name in the contract, as one line.
pub(super) fn line(name: &str, message: &impl Message) -> Result<String, Failure> {
    Ok(written(name, message)?)
}

fn written(name: &str, message: &impl Message) -> anyhow::Result<String> {
    let message = DynamicMessage::decode(descriptor(name)?, message.encode_to_vec().as_slice())?;
    let mut line = serde_json::Serializer::new(Vec::new());
    message.serialize_with_options(&mut line, &OPTIONS)?;
    Ok(String::from_utf8(line.into_inner())?)
}

/// Reads a message, by its name in the contract. An unknown field is an error that names it.
pub(super) fn read<M: Message + Default>(name: &str, json: &serde_json::Value) -> Result<M, Failure> {
    let message = DynamicMessage::deserialize(descriptor(name)?, json)
        .map_err(|error| Failure::usage(format!("is no {name}: {error}")))?;
    message.transcode_to().map_err(|error| Failure::from(anyhow::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use postback_proto::v1::{Account, DeliveryState, ListDeliveriesRequest};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_written_under_the_contracts_names() {
        let account = Account { account: "ps".into(), in_doubt: 2, ..Account::default() };
        let line: serde_json::Value = serde_json::from_str(&line("Account", &account).unwrap()).unwrap();
        assert_eq!(
            (&line["account"], &line["in_doubt"], &line["dead"]),
            (&json!("ps"), &json!(2), &json!(0))
        );
    }

    #[test]
    fn a_message_is_read_and_an_unknown_field_is_named() {
        let text = json!({ "account": "ps", "state": "DELIVERY_STATE_DEAD" });
        let request: ListDeliveriesRequest = read("ListDeliveriesRequest", &text).unwrap();
        assert_eq!((request.account.as_str(), request.state()), ("ps", DeliveryState::Dead));
        let wrong = read::<ListDeliveriesRequest>("ListDeliveriesRequest", &json!({ "acount": "ps" }));
        assert!(wrong.unwrap_err().to_string().contains("acount"));
    }
}
