//! What every answer looks like: a JSON object whose `status` alone says whether it went well (AC-9).

use serde::Deserialize;
use serde_json::{Map, Value};

/// What an answer says.
pub(crate) enum Said {
    /// `status` is `ok`; what else there is, the `id` of the lead, flow or offer among it.
    Ok(Map<String, Value>),
    /// `status` is `error`.
    Error {
        /// The code; codes are an open set.
        code: String,
        /// The original lead, where the error is about one.
        id: Option<u64>,
    },
}

/// Flattened, so that an array is no answer, and one that says its status twice cannot be read.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Said {
    /// Reads a body; `None` where it says neither.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let Answer { status, more } = serde_json::from_slice(body).ok()?;
        match status.as_str() {
            "ok" => Some(Self::Ok(more)),
            "error" => Some(Self::Error { code: code(more.get("error")), id: id(&more) }),
            _ => None,
        }
    }
}

/// A whole number, written as one or as a string of digits (AC-17).
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

/// The `id` of an answer.
pub(crate) fn id(fields: &Map<String, Value>) -> Option<u64> {
    fields.get("id").and_then(number)
}

/// The code as the network wrote it, without control characters.
fn code(error: Option<&Value>) -> String {
    let text = match error {
        Some(Value::String(code)) => code.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let code = text.replace(char::is_control, "");
    if code.is_empty() { "error".into() } else { code }
}
