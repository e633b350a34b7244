//! The generated contract of postback and its conversion to and from core
