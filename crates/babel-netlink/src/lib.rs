//! Route netlink for a routing daemon: links, addresses, routes, rules, in batches.
