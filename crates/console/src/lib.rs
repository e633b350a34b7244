//! The operators' HTTP side: liveness, readiness, metrics
