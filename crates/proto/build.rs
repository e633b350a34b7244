//! Generates the contract from `proto/`, without a `protoc` on the machine.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let files = ["click", "conversion", "delivery", "logbook", "money", "network", "record"]
        .map(|name| root.join(format!("postback/v1/{name}.proto")));
    println!("cargo::rerun-if-changed={}", root.display());

    let set = protox::compile(&files, [&root])?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("postback.bin"), set.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(env::var_os("CARGO_FEATURE_CLIENT").is_some())
        .build_server(env::var_os("CARGO_FEATURE_SERVER").is_some())
        .btree_map(".")
        .skip_debug([".postback.v1.Customer"])
        .compile_fds(set)?;
    Ok(())
}
