//! The sandbox over real sockets: each network's documented behaviour, its faults, its journal, its control API.

mod altercpa_create;
mod altercpa_look_up;
mod altercpa_status;
mod client;
mod control;
mod documents;
mod faults;
mod journal;
mod powerspace;
mod server;
mod trafficstars;
