//! The HTTP edge: click, hub, redirect
