//! Traffic Stars: its clicks, postbacks and answers
