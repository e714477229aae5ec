//! Network namespaces, veths and processes inside them, that always clean up.
