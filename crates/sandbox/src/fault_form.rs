//! A fault as the control API writes it: one flat object, checked when it is read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Fault, FaultKind, Network, SandboxError};

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultForm {
    network: Option<Network>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl TryFrom<FaultForm> for Fault {
    type Error = SandboxError;

    fn try_from(form: FaultForm) -> Result<Self, SandboxError> {
        let network = form.network.ok_or_else(|| SandboxError::invalid("network", "is missing"))?;
        let mut fault = Self::new(network, form.kind()?)?;
        if let Some(rate) = form.rate {
            fault = fault.rate(rate)?;
        }
        if let Some(times) = form.times {
            fault = fault.times(times)?;
        }
        if let Some(path) = form.path {
            fault = fault.path(path)?;
        }
        Ok(fault)
    }
}

impl FaultForm {
    fn kind(&self) -> Result<FaultKind, SandboxError> {
        let ms = |usual: Option<u64>| {
            let ms = self.ms.or(usual).ok_or_else(|| SandboxError::invalid("ms", "is missing"))?;
            Ok::<_, SandboxError>(Duration::from_millis(ms))
        };
        let (kind, fields): (_, &[&str]) = match self.kind.as_str() {
            "status" => {
                let code = self.code.ok_or_else(|| SandboxError::invalid("code", "is missing"))?;
                (FaultKind::Status { code, retry_after: self.retry_after }, &["code", "retry_after"])
            }
            "delay" => (FaultKind::Delay(ms(None)?), &["ms"]),
            "drop_before" => (FaultKind::DropBefore, &[]),
            "drop_after" => (FaultKind::DropAfter, &[]),
            "garbage" => (FaultKind::Garbage, &[]),
            "slow_body" => (FaultKind::SlowBody(ms(Some(500))?), &["ms"]),
            "endless_body" => (FaultKind::EndlessBody, &[]),
            "redirect" => {
                let location = self.location.clone().unwrap_or_else(|| "/".to_owned());
                (FaultKind::Redirect(location), &["location"])
            }
            "answer" => {
                let body = self.body.clone().ok_or_else(|| SandboxError::invalid("body", "is missing"))?;
                (FaultKind::Answer(body), &["body"])
            }
            _ => return Err(SandboxError::invalid("kind", KINDS)),
        };
        self.only(fields)?;
        Ok(kind)
    }

    /// Refuses fields that belong to another kind.
    fn only(&self, fields: &[&str]) -> Result<(), SandboxError> {
        let given = [
            ("code", self.code.is_some()),
            ("retry_after", self.retry_after.is_some()),
            ("ms", self.ms.is_some()),
            ("location", self.location.is_some()),
            ("body", self.body.is_some()),
        ];
        match given.into_iter().find(|(name, given)| *given && !fields.contains(name)) {
            Some((name, _)) => Err(SandboxError::invalid(name, format!("is not for a `{}`", self.kind))),
            None => Ok(()),
        }
    }
}

const KINDS: &str = "want status, delay, drop_before, drop_after, garbage, slow_body, endless_body, redirect \
                     or answer";

impl From<Fault> for FaultForm {
    fn from(fault: Fault) -> Self {
        let mut form = Self {
            network: Some(fault.network),
            kind: fault.kind.as_str().to_owned(),
            rate: Some(fault.rate),
            times: fault.times,
            path: fault.path,
            ..Self::default()
        };
        match fault.kind {
            FaultKind::Status { code, retry_after } => {
                form.code = Some(code);
                form.retry_after = retry_after;
            }
            FaultKind::Delay(time) | FaultKind::SlowBody(time) => {
                form.ms = u64::try_from(time.as_millis()).ok();
            }
            FaultKind::Redirect(location) => form.location = Some(location),
            FaultKind::Answer(body) => form.body = Some(body),
            FaultKind::DropBefore | FaultKind::DropAfter | FaultKind::Garbage | FaultKind::EndlessBody => {}
        }
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Fault, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_again() {
        for json in [
            r#"{"network":"powerspace","kind":"status","code":503,"retry_after":2,"rate":1.0}"#,
            r#"{"network":"altercpa","kind":"delay","ms":20,"rate":0.5,"path":"/api/site/click.json"}"#,
            r#"{"network":"powerspace","kind":"drop_before","rate":1.0}"#,
            r#"{"network":"powerspace","kind":"drop_after","rate":1.0,"times":3}"#,
            r#"{"network":"trafficstars","kind":"garbage","rate":1.0}"#,
            r#"{"network":"trafficstars","kind":"slow_body","ms":1,"rate":1.0}"#,
            r#"{"network":"trafficstars","kind":"endless_body","rate":1.0}"#,
            r#"{"network":"trafficstars","kind":"redirect","location":"/","rate":1.0}"#,
            r#"{"network":"altercpa","kind":"answer","body":"{}","rate":1.0}"#,
        ] {
            let fault = read(json).unwrap();
            assert_eq!(serde_json::to_string(&fault).unwrap(), json);
        }
    }

    #[test]
    fn a_wrong_fault_is_refused_at_the_field_that_is_wrong() {
        for (json, want) in [
            (r#"{"kind":"garbage"}"#, "network: is missing"),
            (r#"{"network":"powerspace","kind":"flood"}"#, "kind: want status"),
            (r#"{"network":"powerspace","kind":"status"}"#, "code: is missing"),
            (r#"{"network":"powerspace","kind":"status","code":200}"#, "code: is 200; want 400 to 599"),
            (r#"{"network":"powerspace","kind":"garbage","code":500}"#, "code: is not for a `garbage`"),
            (r#"{"network":"powerspace","kind":"delay"}"#, "ms: is missing"),
            (r#"{"network":"powerspace","kind":"delay","ms":600001}"#, "ms: want at most 600000"),
            (r#"{"network":"powerspace","kind":"slow_body","ms":0}"#, "ms: want 1 to 60000"),
            (r#"{"network":"powerspace","kind":"answer"}"#, "body: is missing"),
            (r#"{"network":"powerspace","kind":"redirect","location":"a\nb"}"#, "location: has a character"),
            (r#"{"network":"powerspace","kind":"garbage","rate":1.5}"#, "rate: is 1.5; want 0 to 1"),
            (r#"{"network":"powerspace","kind":"garbage","times":0}"#, "times: is 0"),
            (
                r#"{"network":"powerspace","kind":"garbage","path":"/api/site/"}"#,
                "path: `/api/site/` is no path",
            ),
            (r#"{"network":"powerspace","kind":"garbage","often":1}"#, "unknown field `often`"),
            (r#"{"network":"google","kind":"garbage"}"#, "unknown variant `google`"),
        ] {
            let why = read(json).unwrap_err();
            assert!(why.contains(want), "{json}: {why}");
        }
    }
}
