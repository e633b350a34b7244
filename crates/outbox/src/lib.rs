//! Conversions, their deliveries and the schedule: embedded and Redis
