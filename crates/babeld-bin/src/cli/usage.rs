//! What `babeld` says of its command line.

/// Printed after the version when the command line is wrong.
pub const USAGE: &str = "\
Syntax: babeld [-V] [-m multicast_address] [-p port] [-S state-file]
               [-h hello] [-H wired_hello] [-g port] [-G port]
               [-k metric] [-A metric] [-s] [-l] [-w] [-r]
               [-M half-time] [-t table] [-T table] [-c file] [-C statement]
               [-d level] [-D] [-L logfile] [-I pidfile] [-F price]
               [--help] [--version] [--check-config]
               interface...";

/// Printed by `--help`.
pub const HELP: &str = "\
babeld: a Babel routing daemon that knows prices

Usage: babeld [option...] [--] interface...

Interfaces may also be named in a configuration file. Flags and -C take effect in order;
files are read afterwards and override them. Numbers may be 10, 0x10 or 010 (octal).

Identity and protocol:
  -r                 random router-id
  -p port            UDP port (6696)
  -m address         multicast group (ff02::1:6)
  -h seconds         Hello interval on wireless interfaces, with decimals (4)
  -H seconds         Hello interval on all other interfaces (4)
  -w                 interfaces without a type are wireless
  -l                 an interface without carrier is down
  -M seconds         half-life of the metric's smoothing, 0 to 3600; 0 is off (4)

Kernel:
  -t table           routing table to write to (254)
  -T table           routing table to redistribute from; up to ten (254)
  -k priority        priority of our routes (0)
  -A priority        do not let kernel routes of this priority or more shadow ours

Configuration:
  -c file            configuration file; may be repeated (/etc/babeld.conf)
  -C statement       one line of configuration; may be repeated

Prices:
  -F price           our fee per megabyte, as 'price' in the configuration

Running:
  -D                 go into the background
  -S file            where the seqno is kept between runs (/var/lib/babel-state)
  -I file            where the process id is written; '' for none (/var/run/babeld.pid)
  -L file            log file (standard error; /var/log/babeld.log with -D)
  -d level           debug: 1 dumps tables, 2 traces packets, 3 the kernel too (0)
  -g port|/path      control socket on TCP port of ::1, or Unix socket; read-only
  -G port|/path      the same, read-write

Other:
  -V, --version      print the version on standard error and exit
  --check-config     read command line and files, say whether they are good, and exit
  --help             print this and exit

Accepted without effect: -s, -z kind[,factor], -q factor, -a multiplier.

Signals: TERM, INT and HUP exit cleanly; USR1 dumps tables to the log; USR2 checks
interfaces and kernel routes and reopens the log.";
