//! Powerspace: its clicks, postbacks and answers
