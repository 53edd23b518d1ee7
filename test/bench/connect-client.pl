#!/usr/bin/perl
# connect-client.pl - how long connect() takes, one connection after the other, the paths in turn.
#
#   connect-client.pl connect PORT COUNT < TARGETS     TARGETS: lines of "PATH ADDRESS"
#   connect-client.pl accept PORT                      the other end: accepts and closes; says "ready" first
#   connect-client.pl pace PORT COUNT RATE < TARGETS   the same as connect, but so many rounds a second
#   connect-client.pl saturate PORT SECONDS < TARGETS  as many as it can, whatever their path; prints how many that were
#
# Each round connects once on every path, to the path's next address, and prints "PATH ADDRESS NANOSECONDS".
# Perl, because nothing but the system call stands between the two clocks: Node adds 30 us of event loop to a connect
# of 25 us, which would hide half of any difference. Needs only Debian's perl-base, which is always there.
use strict;
use warnings;
use Config;
use IO::Handle;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 IPPROTO_IPV6 IPV6_V6ONLY IN6ADDR_ANY SOMAXCONN);

my $warm_up_rounds = 100;
# The backlog holds 4096 connections: at 20 us each for 80 ms.
my $accept_interval_s = 0.02;
my $clock_monotonic = 1;
# Time::HiRes is not in perl-base. The numbers are the kernel's, fixed for ever.
my %clock_gettime = (x86_64 => 228, aarch64 => 113);
my ($machine) = $Config{archname} =~ /^([^-]+)/;
my $clock = $clock_gettime{$machine} // die "no number of clock_gettime for $machine\n";

my ($mode, $port, $count, $rate) = @ARGV;
if ($mode eq 'accept') { accept_all() } elsif ($mode eq 'saturate') { saturate() } else { connect_all() }

sub accept_all {
  socket(my $listener, AF_INET6, SOCK_STREAM, 0) or die "socket: $!\n";
  setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
  setsockopt($listener, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  bind($listener, pack_sockaddr_in6($port, IN6ADDR_ANY)) or die "bind: $!\n";
  listen($listener, SOMAXCONN) or die "listen: $!\n";
  syswrite(STDOUT, "ready\n");
  # In batches: a process that wakes up for every connection disturbs the time of the connect that woke it.
  $listener->blocking(0);
  while (1) {
    select(undef, undef, undef, $accept_interval_s);
    while (accept(my $connection, $listener)) { close $connection }
  }
}

sub connect_all {
  my (%targets, @paths);
  while (my $line = <STDIN>) {
    my ($path, $address) = split ' ', $line;
    push @paths, $path unless $targets{$path};
    push @{ $targets{$path} }, [$address, socket_address($address)];
  }
  my @results;
  my $began = now() / 1e9;
  for my $round (-$warm_up_rounds .. $count - 1) {
    if ($rate) {
      my $early = $began + ($round + $warm_up_rounds) / $rate - now() / 1e9;
      select(undef, undef, undef, $early) if $early > 0;
    }
    for my $path (@paths) {
      my ($address, @socket_address) = @{ $targets{$path}[$round % @{ $targets{$path} }] };
      my $nanoseconds = connect_once($address, @socket_address);
      push @results, "$path $address $nanoseconds\n" if $round >= 0;
    }
  }
  print @results;
}

sub saturate {
  my @targets = map { my (undef, $address) = split ' '; [$address, socket_address($address)] } <STDIN>;
  my ($done, $end) = (0, now() + $count * 1_000_000_000);
  connect_once(@{ $targets[$done++ % @targets] }) while now() < $end;
  print "$done\n";
}

sub now {
  my $time = "\0" x 16;
  syscall($clock, $clock_monotonic, $time);
  my ($s, $ns) = unpack('qq', $time);
  return $s * 1_000_000_000 + $ns;
}

sub socket_address {
  my ($address) = @_;
  return (PF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, $address))) if $address =~ /:/;
  return (PF_INET, pack_sockaddr_in($port, inet_aton($address)));
}

sub connect_once {
  my ($address, $family, $socket_address) = @_;
  socket(my $socket, $family, SOCK_STREAM, 0) or die "socket: $!\n";
  # Closed by RST: no TIME_WAIT piles up that would slow the search for a free port.
  setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
  my ($before, $after) = ("\0" x 16, "\0" x 16);
  syscall($clock, $clock_monotonic, $before);
  connect($socket, $socket_address) or die "connect to $address: $!\n";
  syscall($clock, $clock_monotonic, $after);
  close $socket;
  my ($from_s, $from_ns) = unpack('qq', $before);
  my ($to_s, $to_ns) = unpack('qq', $after);
  return ($to_s - $from_s) * 1_000_000_000 + $to_ns - $from_ns;
}
