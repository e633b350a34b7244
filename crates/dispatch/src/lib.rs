//! Takes due deliveries, sends them through one tower stack per account, settles the verdict
