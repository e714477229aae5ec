//! The configuration language, as stock babeld's, with errors that name the place and the word.
//!
//! Nothing here touches the system: named files are read, and [`Settings`] come out. Lines are
//! understood by [`parse_statement`] and applied by [`Settings::apply`]; so files, `-C` and the
//! control socket share one reader.
//!
//! A statement is one line. Blanks are space, tab and carriage return; `#` begins a comment
//! anywhere; a word has at most 254 octets. Values marked *text* may be quoted (`"a b"`, with `\`
//! before any character). Integers are C's: `10`, `0x10`, `010`. *Bool* is `true`, `yes`, `false`,
//! `no`, or `auto` or `default`, which mean "not said" on interfaces and false elsewhere.
//! A prefix is `ADDRESS/LENGTH`, an address, or `default` for `::/0`; host bits are cleared.
//!
//! # Statements
//!
//! | statement | argument | range | default |
//! | --- | --- | --- | --- |
//! | `interface NAME OPTION…` | text, which may have `*` and `?`; options | | |
//! | `default OPTION…` | options for all interfaces, wherever it stands | | |
//! | `in`, `out`, `redistribute`, `install` | selectors and actions | | see below |
//! | `key id ID type TYPE value HEX` | words in any order | 1–64 octets `hmac-sha256`, 1–32 `blake2s128` | |
//! | `protocol-port` | integer | 1–65535 | 6696 |
//! | `protocol-group` | IPv6 multicast address | | `ff02::1:6` |
//! | `kernel-priority` | integer | 0–65535 | 0 |
//! | `reflect-kernel-metric` | bool | | false |
//! | `allow-duplicates` | integer | 0–65535 | never |
//! | `local-port`, `local-port-readwrite` | TCP port of `::1`; the last of these four wins | 1–65535 | none |
//! | `local-path`, `local-path-readwrite` | text, a Unix socket | | none |
//! | `export-table` | integer | 0–65535 | 254 |
//! | `import-table` | integer; each adds one | 0–65535 | 254 |
//! | `kernel-check-interval` | seconds; 0 is never | 0–65535 | 300 |
//! | `shutdown-delay-ms` | milliseconds | 0–65535 | 0 |
//! | `link-detect` | bool | | false |
//! | `random-id` | bool | | false |
//! | `daemonise` | bool | | false |
//! | `skip-kernel-setup` | bool | | false |
//! | `ipv6-subtrees` | bool; subtrees are always used | | |
//! | `state-file` | text; `""` is none | | `/var/lib/babel-state` |
//! | `log-file` | text; `""` is the default | | standard error; `/var/log/babeld.log` if daemonised |
//! | `pid-file` | text; `""` is none | | `/var/run/babeld.pid` |
//! | `debug` | integer | 0–2147483647 | 0 |
//! | `smoothing-half-life` | seconds; 0 is off | 0–2147483647 | 4 |
//! | `router-id` | 8 hex octets with `:` or `-`, or a MAC address | not all zeroes or ones | from an interface |
//! | `metrics-port` | port of `::1`, or `ADDRESS:PORT` | 1–65535 | off |
//! | `price`, `fee` | our fee per megabyte; the last wins | 0–4294967294 | off |
//! | `price-unit` | integer | 0–65535 | 0 |
//! | `price-sub-tlv` | integer | 4–126 | 112 |
//! | `max-price {N\|none} [ip PREFIX]` | limit; one for each prefix | 0–4294967294 | none |
//! | `require-price` | bool | | false |
//! | `prefer` | `quality` or `price` | | `quality` |
//! | `qos-goal [ip PREFIX] [download R] [upload R] [latency MS] [loss PERCENT]` | one for each prefix; rates as `20M` | | none |
//! | `speedtest-target NAME URL [ip PREFIX] [interval S] [daily-budget BYTES]` | one for each name; `NAME none` takes it away | | none; 3600, `2G` |
//! | `unproven-penalty` | integer | 0–65534 | 256 |
//! | `probe-prefix` | prefix, one of each family; `none` | /30, /126 or shorter | none |
//! | `probe-mark` | `VALUE/MASK` | 4 marks must fit | `0xb0000000/0xf0000000` |
//! | `probe-table` | integer, the first of 4 | not 253–255 | 47600 |
//! | `probe-priority` | integer | 1–32765 | 1000 |
//! | `quality-file` | text; `""` is none | | `/var/lib/babel-quality` |
//! | `althea-compat` | bool; the control socket speaks as Althea's babeld | | false |
//! | `metric-factor` | integer; shown to Althea's clients, no other effect | 0–4294967295 | 1900 |
//! | `quality-multiplier` | the same, times 1000 | 0–4294967 | |
//!
//! # Interface options
//!
//! | option | argument | range | default |
//! | --- | --- | --- | --- |
//! | `type` | `auto`, `wired`, `wireless`, `tunnel` | | `auto` |
//! | `rxcost` | integer | 1–65535 | 96; 256 if wireless |
//! | `hello-interval` | seconds | 0.001–655.35 (5 ms at least is used) | 4, or `-h`, `-H` |
//! | `update-interval` | seconds | 0.001–655.35 | 4 hello intervals |
//! | `link-quality` | bool | | if wireless |
//! | `split-horizon` | bool | | if `type wired` |
//! | `v4-via-v6` | bool | | true |
//! | `price`, `fee` | instead of the node's | 0–4294967294 | the node's |
//! | `enable-timestamps` | bool | | if `max-rtt-penalty` is set or implied |
//! | `max-rtt-penalty` | integer | 1–65535 | none; 96 if `type tunnel` |
//! | `rtt-min`, `rtt-max` | milliseconds | 0.001–2147483.647 | 10, 120 |
//! | `rtt-decay` | 1/256 | 1–256 | 42 |
//! | `unicast` | bool; all but Hellos goes to each neighbour by itself | | if `unicast-neighbour` |
//! | `unicast-neighbour` | address in fe80::/64; each adds one that gets Unicast Hellos | | |
//! | `rfc6126-compatible` | bool; no Unicast Hellos, nothing source-specific, no `v4-via-v6` | | false |
//! | `probe-mtu` | bool; packets with a Hello are padded to the MTU | | false |
//! | `key ID` | a key to sign with and accept; up to four, all on one line | | none |
//! | `accept-key ID` | a key to accept but not to sign with; counts with the others | | none |
//! | `accept-bad-signatures` | bool; sign, but accept anything | | false |
//!
//! # Filter rules
//!
//! First match wins. No match: `in`, `out` and `install` allow, `redistribute` denies; after all
//! rules come `redistribute local allow` and `install allow`.
//!
//! | word | argument | range |
//! | --- | --- | --- |
//! | `ip`, `src-ip` | prefix | |
//! | `eq`, `le`, `ge`, `src-eq`, `src-le`, `src-ge` | length; several all hold | 0–128 |
//! | `neigh` | address | |
//! | `id` | router-id | |
//! | `proto` | integer; 0 is none | 0–255 |
//! | `local` | | |
//! | `if` | text, which may have `*` and `?` | |
//! | `allow`, `deny`, `metric N` | the last of them wins | 1–65535, which is `deny` |
//! | `price` | not in `install` | 0–4294967294 |
//! | `src-prefix` | prefix; `redistribute` only | |
//! | `table` | `install` only | 1–65535 |
//! | `pref-src` | address; `install` only | |
//!
//! All of `ip`, `src-ip`, `src-prefix`, `pref-src` are of one family, and lengths are that
//! family's. With none of them, a rule with a length is for IPv6 only.
//!
//! # Accepted without effect
//!
//! `diversity`, `diversity-factor`, `first-rule-priority`, `first-table-number`, `ubus-bindings`;
//! on interfaces `channel` and `faraway`. Each word is warned of once.
//! `wired BOOL` means `type`.

mod auth;
mod check;
mod difference;
mod doubts;
mod error;
mod interface;
mod key;
mod lexer;
mod load;
mod parse;
mod parse_filter;
mod parse_global;
mod parse_interface;
mod parse_key;
mod parse_quality;
mod quality;
mod rule_text;
mod settings;
mod statement;
mod value;

pub mod vocabulary;

pub use auth::KeyUse;
pub use check::{Report, check};
pub use difference::Difference;
pub use error::{ConfigError, Origin, Place, Warning};
pub use interface::{InterfaceOptions, InterfaceSettings, LinkType, Medium};
pub use key::{Key, KeyType};
pub use parse::{Parsed, parse_statement};
pub use qos_ranker::{Peer, Prefer};
pub use quality::{
    MAX_GOALS, MAX_TARGETS, Measure, PROBE_SLOTS, ProbeMark, QualityOption, QualitySettings, Target,
};
pub use settings::{DEFAULT_METRIC_FACTOR, MAIN_TABLE, MAX_IMPORT_TABLES, Settings};
pub use statement::{Command, FilterKind, Global, LocalAddress, LocalSocket, MaxPrice, Statement};

pub(crate) use parse_global::{DEAREST, is_link_local_group};
pub(crate) use value::{impossible_name, parse_integer, parse_thousands};
