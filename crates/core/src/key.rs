//! The deployment's key: it seals click tokens and hashes visitors' addresses.

use std::{fmt, net::IpAddr, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

use crate::{Error, Result};

/// One key of a deployment, with the number by which its tokens name it. Written `NUMBER:BASE64URL`, 32 bytes.
#[derive(Clone)]
pub struct Key {
    id: u8,
    secret: [u8; 32],
    /// Derived from the secret: under these bytes tokens are sealed.
    sealing: [u8; 64],
    /// An HMAC keyed with the secret and fed its label: hashing an address clones and finishes it.
    addresses: Hmac<Sha256>,
}

impl Key {
    /// A key made of 32 random bytes.
    pub fn new(id: u8, secret: [u8; 32]) -> Self {
        let sealing = begin::<Hmac<Sha512>>(&secret, b"postback click token").finalize().into_bytes().into();
        Self { id, secret, sealing, addresses: begin(&secret, b"postback visitor address") }
    }

    /// IPv4 and IPv6 cannot collide: the one has 4 bytes, the other 16.
    fn hash(&self, ip: IpAddr) -> IpHash {
        let mut mac = self.addresses.clone();
        match ip.to_canonical() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        let mut first = [0; 8];
        first.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        IpHash(first)
    }

    /// The number by which tokens name it.
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// The key as text, for the person who keeps it.
    pub fn reveal(&self) -> String {
        format!("{}:{}", self.id, BASE64.encode(self.secret))
    }

    /// The 64 bytes under which tokens are sealed.
    pub(crate) const fn sealing(&self) -> &[u8; 64] {
        &self.sealing
    }
}

/// A keyed hash to which `purpose` alone was fed; the key is filled up with zeros, as HMAC says.
fn begin<M: Mac + KeyInit>(secret: &[u8; 32], purpose: &[u8]) -> M {
    let mut key = hmac::digest::Key::<M>::default();
    key[..secret.len()].copy_from_slice(secret);
    let mut mac = <M as KeyInit>::new(&key);
    mac.update(purpose);
    mac
}

impl FromStr for Key {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(
                "key",
                "is not a key; want what `postback keygen` prints, such as 1: and 43 characters",
            )
        };
        let (id, secret) = value.trim().split_once(':').ok_or_else(refuse)?;
        let secret = BASE64.decode(secret).map_err(|_| refuse())?;
        let id = id.parse().map_err(|_| refuse())?;
        Ok(Self::new(id, secret.try_into().map_err(|_| refuse())?))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// The keyed hash of a visitor's address: equal for equal addresses, useless without the deployment's key.
///
/// It is 64 bits long: of ten million addresses two share one, by chance, one time in 370,000; without the
/// key nobody can look for such two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpHash([u8; 8]);

impl IpHash {
    /// The hash that was stored as these bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The hash's bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

/// The key that seals now, and older ones whose tokens are still honoured.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// The key that seals now, then those that only open.
    ///
    /// # Errors
    /// `InvalidArgument` where two keys have the same number.
    pub fn new(current: Key, older: impl IntoIterator<Item = Key>) -> Result<Self> {
        let mut keys = vec![current];
        for key in older {
            if keys.iter().any(|other| other.id == key.id) {
                return Err(Error::invalid(
                    "key",
                    format!("two keys have the number {}; want one each", key.id),
                ));
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    pub(crate) fn current(&self) -> &Key {
        &self.keys[0]
    }

    pub(crate) fn find(&self, id: u8) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The hash of an address under the current key. An IPv4 address inside IPv6 is hashed as IPv4.
    pub fn hash_ip(&self, ip: IpAddr) -> IpHash {
        self.current().hash(ip)
    }

    /// The hashes of an address under every key, the current one first: for look-ups after a rotation.
    pub fn hashes_of_ip(&self, ip: IpAddr) -> Vec<IpHash> {
        self.keys.iter().map(|key| key.hash(ip)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_as_text_and_never_shows_itself() {
        let key = Key::new(7, [9; 32]);
        let text = key.reveal();
        assert_eq!(text.parse::<Key>().unwrap().reveal(), text);
        assert_eq!(format!("{key:?}"), "Key(7)");
        for wrong in ["", "1", "1:", "300:AAAA", "1:AAAA"] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_told_apart_and_their_families_too() {
        let ring = Keyring::new(Key::new(1, [1; 32]), []).unwrap();
        let addresses = ["192.0.2.7", "192.0.2.8", "::c000:207", "c000:207::", "2001:db8::1", "2001:db8::2"];
        let mut hashes: Vec<_> = addresses.map(|ip| *ring.hash_ip(ip.parse().unwrap()).as_bytes()).into();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), addresses.len());
    }

    #[test]
    fn an_address_is_found_again_after_a_rotation() {
        let (old, new) = (Key::new(1, [1; 32]), Key::new(2, [2; 32]));
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        let before = Keyring::new(old.clone(), []).unwrap().hash_ip(ip);
        let ring = Keyring::new(new, [old]).unwrap();
        assert_ne!(ring.hash_ip(ip), before);
        assert!(ring.hashes_of_ip("::ffff:192.0.2.7".parse().unwrap()).contains(&before));
        assert!(Keyring::new(Key::new(1, [1; 32]), [Key::new(1, [2; 32])]).is_err());
    }
}
