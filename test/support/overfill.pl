#!/usr/bin/perl
# overfill.pl TO MBIT - datagrams to port 9 (discard), so many bits a second, until it is ended.
use strict;
use warnings;
use Socket qw(inet_aton pack_sockaddr_in AF_INET SOCK_DGRAM);

my ($to, $mbit) = @ARGV;
my ($payload, $every_s) = ("\0" x 1200, 0.002);
my $at_once = int($mbit * 1e6 * $every_s / 8 / 1242);
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!\n";
my $end = pack_sockaddr_in(9, inet_aton($to));
while (1) {
  # What the network refuses is as good as lost.
  send($socket, $payload, 0, $end) for 1 .. $at_once;
  select(undef, undef, undef, $every_s);
}
