//! The use cases over the ports: capture a click, record a conversion, change a status, resolve a delivery
