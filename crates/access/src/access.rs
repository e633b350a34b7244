//! Who a caller is, by what it shows.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use postback_core::{Error, Result};

use crate::{Certificate, Rules, Scope, scope::Scopes};

/// Somebody who is known, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    name: Arc<str>,
    scopes: Scopes,
}

impl Caller {
    pub(crate) fn new(name: &str, scopes: Scopes) -> Self {
        Self { name: name.into(), scopes }
    }

    /// Everybody on a machine where nobody is asked.
    fn local() -> Self {
        Self::new("local", Scopes::ALL)
    }

    /// The name of the token or certificate, or `local` where nobody is asked.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this caller is let do that.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.hold(scope)
    }
}

/// Why nobody is known by what was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Neither a token nor a certificate was shown.
    Nobody,
    /// The token is none that is alive.
    UnknownToken,
    /// The certificate is genuine, but no name in it is let in.
    UnknownCertificate,
}

impl Stranger {
    /// A stable word for metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::UnknownToken => "unknown_token",
            Self::UnknownCertificate => "unknown_certificate",
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => {
                "no token or certificate was shown; want a token as `authorization: Bearer pbt_...` or a client certificate"
            }
            Self::UnknownToken => "the token is not known; it may have been replaced or removed",
            Self::UnknownCertificate => "no name in the certificate is let in here",
        })
    }
}

/// Who is let in, for every server that asks: clones share what [`Access::replace`] brings.
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<ArcSwap<Rules>>);

impl Access {
    /// Nobody is asked; everybody is `local`.
    pub fn open() -> Self {
        Self::default()
    }

    /// Those are let in whom the rules name.
    pub fn new(rules: Rules) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(rules)))
    }

    /// Puts other rules in place, for every clone and from the next call on.
    ///
    /// # Errors
    /// `FailedPrecondition` where the new rules are open and the present ones are not: a listener that was opened
    /// to other machines under them would be left to everybody.
    pub fn replace(&self, rules: Rules) -> Result<()> {
        if rules.is_open() && !self.is_open() {
            let message = "is empty, which would let everybody in; want a restart for that";
            return Err(Error::precondition("ACCESS_LEFT_OPEN", message).at("access"));
        }
        self.0.store(Arc::new(rules));
        Ok(())
    }

    /// Whether nobody is asked who they are.
    pub fn is_open(&self) -> bool {
        self.0.load().is_open()
    }

    /// Who shows this token.
    pub fn caller(&self, token: &str) -> Option<Caller> {
        self.identify(Some(token), None).ok()
    }

    /// Who shows this. A token counts before a certificate: a wrong one is refused whatever else is shown.
    ///
    /// # Errors
    /// Why it is nobody who is known.
    pub fn identify(
        &self,
        token: Option<&str>,
        certificate: Option<&Certificate>,
    ) -> Result<Caller, Stranger> {
        let rules = self.0.load();
        if rules.is_open() {
            return Ok(Caller::local());
        }
        let (found, stranger) = match (token, certificate) {
            (Some(token), _) => (rules.of_token(token), Stranger::UnknownToken),
            (None, Some(certificate)) => (rules.of_certificate(certificate), Stranger::UnknownCertificate),
            (None, None) => (None, Stranger::Nobody),
        };
        found.cloned().ok_or(stranger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Token, TokenHash};

    fn rules(tokens: &[(&str, Scope, &[&Token])]) -> Rules {
        let mut rules = Rules::default();
        for (name, scope, tokens) in tokens {
            let hashes: Vec<TokenHash> = tokens.iter().map(|token| token.hash()).collect();
            rules.token(name, &[*scope], &hashes).unwrap();
        }
        rules
    }

    #[test]
    fn everybody_is_local_where_nothing_is_configured() {
        let access = Access::open();
        let caller = access.identify(None, None).unwrap();
        assert_eq!(caller.name(), "local");
        assert!(access.is_open() && Scope::ALL.into_iter().all(|scope| caller.may(scope)));
        assert_eq!(access.caller("whatever").unwrap(), caller);
    }

    #[test]
    fn a_token_names_its_caller_and_what_it_may() {
        let (billing, ops) = (Token::generate().unwrap(), Token::generate().unwrap());
        let access =
            Access::new(rules(&[("billing", Scope::Report, &[&billing]), ("ops", Scope::Operate, &[&ops])]));
        let caller = access.caller(billing.reveal()).unwrap();
        assert_eq!(caller.name(), "billing");
        assert!(caller.may(Scope::Report) && !caller.may(Scope::Read) && !caller.may(Scope::Operate));
        assert_eq!(access.caller(ops.reveal()).unwrap().name(), "ops");
        let unknown = Token::generate().unwrap();
        assert_eq!(access.identify(Some(unknown.reveal()), None), Err(Stranger::UnknownToken));
        assert_eq!(access.identify(Some(&billing.hash().to_string()), None), Err(Stranger::UnknownToken));
        assert_eq!(access.identify(None, None), Err(Stranger::Nobody));
    }

    #[test]
    fn both_tokens_of_a_name_are_alive_until_the_older_is_dropped() {
        let (old, new) = (Token::generate().unwrap(), Token::generate().unwrap());
        let access = Access::new(rules(&[("billing", Scope::Report, &[&new, &old])]));
        let server = access.clone();
        assert!(server.caller(old.reveal()).is_some() && server.caller(new.reveal()).is_some());
        access.replace(rules(&[("billing", Scope::Report, &[&new])])).unwrap();
        assert!(server.caller(old.reveal()).is_none() && server.caller(new.reveal()).is_some());
    }

    #[test]
    fn what_is_closed_is_never_opened_by_a_reload() {
        let token = Token::generate().unwrap();
        let access = Access::new(rules(&[("billing", Scope::Report, &[&token])]));
        let refused = access.replace(Rules::default()).unwrap_err().to_string();
        assert_eq!(refused, "access: is empty, which would let everybody in; want a restart for that");
        assert!(access.caller("whatever").is_none());
        let open = Access::open();
        open.replace(rules(&[("billing", Scope::Report, &[&token])])).unwrap();
        assert!(!open.is_open());
    }

    #[test]
    fn wrong_rules_are_refused_with_what_would_be_right() {
        let token = Token::generate().unwrap();
        let hash = token.hash();
        let mut rules = rules(&[("billing", Scope::Report, &[&token])]);
        let other = Token::generate().unwrap().hash();
        let said = [
            rules.token("Billing", &[Scope::Read], &[other]),
            rules.token("ops", &[], &[other]),
            rules.token("ops", &[Scope::Read], &[]),
            rules.token("ops", &[Scope::Read], &[hash]),
            rules.certificate("a b", &[Scope::Read]),
            rules.certificate("ops.internal", &[]),
        ]
        .map(|outcome| outcome.unwrap_err().to_string());
        assert_eq!(
            said,
            [
                "name: `Billing` is not valid; want 1 to 64 of a-z, 0-9, -, _ and .",
                "scopes: is empty; want some of report, read and operate",
                "sha256: has 0 hashes; want one, or two while a token is changed",
                "sha256: has a hash that `billing` has already; want a token for each name",
                "name: `a b` is not a certificate's name; want its DNS name or URI, 1 to 128 letters, digits and \
                 signs",
                "scopes: is empty; want some of report, read and operate",
            ]
        );
    }
}
