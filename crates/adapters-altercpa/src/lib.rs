//! AlterCPA: its clicks, postbacks, look-ups and answers
