//! Whom a config lets in.

use std::collections::BTreeMap;

use postback_core::{Error, Result};

use crate::{Certificate, Scope, TokenHash, access::Caller};

/// The most tokens alive for one name: the present one and, while it is changed, the one before.
const ALIVE: usize = 2;

/// The tokens and the certificates' names that are let in, each with what it may do.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    tokens: Vec<(TokenHash, Caller)>,
    certificates: BTreeMap<String, Caller>,
}

impl Rules {
    /// Lets in who shows one of a name's one or two tokens.
    ///
    /// # Errors
    /// `InvalidArgument` at `name`, `scopes` or `sha256`: none or too many of them, or one that another name has.
    pub fn token(&mut self, name: &str, scopes: &[Scope], hashes: &[TokenHash]) -> Result<()> {
        let short = (1..=64).contains(&name.len());
        if !short
            || !name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c))
        {
            let want = format!("`{name}` is not valid; want 1 to 64 of a-z, 0-9, -, _ and .");
            return Err(Error::invalid("name", want));
        }
        if !(1..=ALIVE).contains(&hashes.len()) {
            let count = hashes.len();
            let want = format!("has {count} hashes; want one, or two while a token is changed");
            return Err(Error::invalid("sha256", want));
        }
        let caller = named(name, scopes)?;
        for hash in hashes {
            if let Some((_, other)) = self.tokens.iter().find(|(known, _)| known.is(hash).into()) {
                let want =
                    format!("has a hash that `{}` has already; want a token for each name", other.name());
                return Err(Error::invalid("sha256", want));
            }
            self.tokens.push((*hash, caller.clone()));
        }
        Ok(())
    }

    /// Lets in who shows a certificate of this name.
    ///
    /// # Errors
    /// `InvalidArgument` at `name` or `scopes`.
    pub fn certificate(&mut self, name: &str, scopes: &[Scope]) -> Result<()> {
        if !(1..=128).contains(&name.len()) || !name.bytes().all(|c| c.is_ascii_graphic()) {
            let want =
                "is not a certificate's name; want its DNS name or URI, 1 to 128 letters, digits and signs";
            return Err(Error::invalid("name", format!("`{}` {want}", name.escape_debug())));
        }
        self.certificates.insert(name.to_owned(), named(name, scopes)?);
        Ok(())
    }

    /// Whether nobody is asked who they are.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty() && self.certificates.is_empty()
    }

    /// Whether any certificate is let in.
    pub fn have_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Who shows this token. Every hash is looked at, so that the time tells nothing.
    pub(crate) fn of_token(&self, token: &str) -> Option<&Caller> {
        let shown = TokenHash::of(token);
        let mut found = None;
        for (hash, caller) in &self.tokens {
            if hash.is(&shown).into() {
                found = Some(caller);
            }
        }
        found
    }

    /// Who holds this certificate.
    pub(crate) fn of_certificate(&self, certificate: &Certificate) -> Option<&Caller> {
        certificate.names().find_map(|name| self.certificates.get(name))
    }
}

fn named(name: &str, scopes: &[Scope]) -> Result<Caller> {
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "is empty; want some of report, read and operate"));
    }
    Ok(Caller::new(name, scopes.iter().copied().collect()))
}
