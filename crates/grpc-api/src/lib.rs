//! The gRPC services of proto/ over the hub
