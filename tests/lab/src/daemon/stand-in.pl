#!/usr/bin/perl
# Behaves enough like the daemon for the tests of the harness. Arguments: run --foreground --config FILE
# Not a shell: one that is told to reload while it starts a command has been seen not to.
use strict;
use warnings;

my $file = $ARGV[3];

sub report { print STDERR "@_\n" }

sub reload {
    open my $config, '<', $file or return;
    my ($line) = grep { /^KEY=/ } <$config>;
    $line =~ tr/'\n//d;
    report("new event=reloaded value=$line");
}

$SIG{HUP} = \&reload;
$SIG{TERM} = sub { report('bye event=stopped'); exit 3 };
my $home = $ENV{HOME} // 'none';
my $named = $ENV{NAMED} // '';
report("hello event=started args=\"@ARGV[0 .. 2]\" home=$home named=$named");
select undef, undef, undef, 0.01 while 1;
