//! Namespaced tests against other Babel daemons, and the simulator.

pub mod sim;
