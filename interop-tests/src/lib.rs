//! Namespaced tests against other Babel daemons, and the simulator.
