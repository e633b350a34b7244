//! The network's rules, each proven by a test that names its id.

mod arbitrary;
mod authorization;
mod click;
mod client;
mod fields;
mod look_up;
mod money;
mod origin;
mod readme;
mod settings;
mod status;
mod support;
mod verdict;
