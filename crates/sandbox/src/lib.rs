//! The three ad networks, simulated after their documentation, with faults on demand
