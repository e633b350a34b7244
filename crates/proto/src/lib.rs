//! The generated contract of `proto/` (messages alone; features `client` and `server` add the gRPC sides), and
//! the one conversion between it and the core's values.

mod click;
mod conversion;
mod delivery;
mod logbook;
mod look_up;
mod record;
mod value;

pub use conversion::{change_from, details_from, kind_from};
pub use value::{count, parsed, time_from, timestamp};

/// The largest request that a hub takes, in bytes.
pub const MESSAGE: usize = 64 * 1024;

/// Package `postback.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/postback.v1.rs"));

    impl std::fmt::Debug for Customer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Customer").field("country", &self.country).finish_non_exhaustive()
        }
    }
}

/// The contract as an encoded `google.protobuf.FileDescriptorSet`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/postback.bin"));
