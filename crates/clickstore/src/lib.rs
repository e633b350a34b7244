//! Clicks and user attribution with a 30-day life: embedded and Redis
