//! The texts of `--help`, `help` and `COMMAND --help`; the manual says more.

pub(super) const MAIN: &str = "\
kick-monitor keeps the Online/Offline status of Kick.com streamers in your own
PostgreSQL table.

Usage:
  kick-monitor run [--foreground] [--config FILE] [--pid-file FILE]
  kick-monitor check [--config FILE] [--offline] [--json] [NAME...]
  kick-monitor status [--config FILE] [--json|--prometheus|--check|--watch]
  kick-monitor status [--config FILE] --all [--online|--offline|--unknown]
  kick-monitor status [--config FILE] [--json] STREAMER
  kick-monitor ids [--sql] [--config FILE] [NAME...]
  kick-monitor schema [--sample] [--config FILE]
  kick-monitor help [COMMAND]

Commands:
  run       run the daemon
  check     try everything that the daemon needs, and say what is missing
  status    show what the running daemon knows
  ids       look up Kick's user id and channel id of streamers
  schema    print SQL: a role with its grants, triggers, a sample table
  help      print this help, or that of a command

Options:
  -h, --help       print this help
  -V, --version    print the version

Exit codes:
  0    success
  1    failed at run time; ids: a name was not found
  2    wrong command line
  3    status: the daemon is not running
       status --check has codes of its own, see: kick-monitor help status
  69   check: Kick, the database or this machine is unavailable, refuses, or
       lacks something
  78   the configuration cannot be used

Configuration: /etc/kick-monitor/kick-monitor.env
Manual: kick-monitor(8), kick-monitor.env(5)
";

pub(super) const RUN: &str = "\
Run the daemon.

Usage: kick-monitor run [--foreground] [--config FILE] [--pid-file FILE]

Without --foreground it goes into the background when it is ready, and logs to
syslog whatever LOG_TARGET says.

Options:
  --foreground       do not go into the background: for systemd, terminals and
                     containers
  --config FILE      the configuration (default:
                     /etc/kick-monitor/kick-monitor.env)
  --pid-file FILE    write the process id to this file (default: no file)
  -h, --help         print this help

Signals:
  TERM, INT    stop in order, within 10 seconds
  HUP          read the configuration again
  USR1         read the table and compare every streamer with Kick at once

Exit codes:
  0    stopped as it was told
  1    failed at run time
  2    wrong command line
  78   the configuration cannot be used
";

pub(super) const CHECK: &str = "\
Try everything that the daemon needs, and print one line per item, with the
remedy for what fails. Nothing is changed.

Usage: kick-monitor check [--config FILE] [--offline] [--json] [NAME...]

With NAME...: besides, whether Kick knows the name, its ids, and whether it is
live now. So names can be tried before they are in the table.

Options:
  --config FILE    the configuration (default:
                   /etc/kick-monitor/kick-monitor.env)
  --offline        check only the configuration file
  --json           print one JSON object
  -h, --help       print this help

Exit codes:
  0    everything works
  1    failed at run time
  2    wrong command line
  69   Kick, the database or this machine is unavailable, refuses, or lacks
       something, such as a table, a column or a privilege
  78   the configuration cannot be used
";

pub(super) const STATUS: &str = "\
Show what the running daemon knows.

Usage: kick-monitor status [--config FILE] [--json|--prometheus|--check|--watch]
       kick-monitor status [--config FILE] --all [--online|--offline|--unknown]
       kick-monitor status [--config FILE] [--json] STREAMER

With STREAMER: only that one, and why it is Online or Offline.

Options:
  --config FILE    the configuration (default:
                   /etc/kick-monitor/kick-monitor.env)
  --json           print one JSON object
  --prometheus     print metrics in the Prometheus text format
  --all            print one line for each streamer: name, status, since when,
                   source, and whether push covers it
  --online         with --all: only those who are Online
  --offline        with --all: only those who are Offline
  --unknown        with --all: only those whose status is not known yet
  --check          print one line for Nagios, Icinga or cron, with exit codes of
                   its own
  --watch          show the status on the terminal, drawn anew every 2 seconds,
                   until a key or Ctrl-C is pressed
  -h, --help       print this help

Exit codes:
  0    success
  1    failed at run time
  2    wrong command line; --watch: no terminal
  3    the daemon is not running
  78   the configuration cannot be read

Exit codes of --check:
  0    ok
  1    degraded
  2    failing
  3    the daemon is not running, or its status cannot be read
";

pub(super) const IDS: &str = "\
Look up Kick's user id and channel id of each NAME, or without names of every
row of the table, and print one line for each: NAME USER_ID CHANNEL_ID. Names
that are not found are reported on standard error. Nothing is changed.

Usage: kick-monitor ids [--sql] [--config FILE] [NAME...]

A NAME may also be @NAME or an address of kick.com. Names need no configuration;
then only Kick's website is asked. It refuses many servers, so run this at home
and pass the ids to the server, into the columns channel_id and user_id:

  kick-monitor ids --sql NAME... | ssh SERVER psql DATABASE

Options:
  --sql            print an UPDATE for each, for psql, instead of the line. It
                   sets DB_CHANNEL_ID_COLUMN and DB_USER_ID_COLUMN; without a
                   configuration, the columns channel_id and user_id of the
                   table streamers. The environment can set other names
  --config FILE    the configuration (default:
                   /etc/kick-monitor/kick-monitor.env)
  -h, --help       print this help

Exit codes:
  0    every name was found
  1    a name was not found, or it failed at run time
  2    wrong command line
  78   the configuration cannot be used
";

pub(super) const SCHEMA: &str = "\
Print, as SQL, what the configured table needs: a role with the least privileges
that suffice, and two optional triggers, one that has a new row noticed at once
(ROSTER_NOTIFY_CHANNEL), and one that keeps a history of broadcasts. Without a
configuration, a sample table besides. No password is printed, and nothing is
changed.

Usage: kick-monitor schema [--sample] [--config FILE]

Options:
  --sample         print a sample table besides, with all optional columns
  --config FILE    the configuration (default:
                   /etc/kick-monitor/kick-monitor.env)
  -h, --help       print this help

Exit codes:
  0    success
  1    failed at run time
  2    wrong command line
  78   the configuration cannot be used
";
