#!/usr/bin/perl
# arp-asker.pl - asks for an address by ARP again and again, as a router that believes nobody.
#
#   arp-asker.pl INDEX ADDRESS OWN_MAC OWN_ADDRESS
#
# A question every 10 ms until it is ended; who captures on the wire sees what is answered.
use strict;
use warnings;
use Socket qw(:DEFAULT);

my $every_s = 0.01;
my ($af_packet, $ethertype_arp) = (17, 0x0806);
my ($index, $address, $mac, $own) = @ARGV;
my $hardware = pack('H12', $mac =~ tr/://dr);
my $frame = ("\xff" x 6) . $hardware . pack('n', $ethertype_arp)
  . pack('nnCCn', 1, 0x0800, 6, 4, 1) . $hardware . inet_aton($own) . ("\0" x 6) . inet_aton($address);
socket(my $socket, $af_packet, SOCK_RAW, 0) or die "socket: $!\n";
my $to = pack('SnlSCCa8', $af_packet, $ethertype_arp, $index, 1, 0, 6, "\xff" x 6);
while (1) {
  send($socket, $frame, 0, $to) or die "send: $!\n";
  select(undef, undef, undef, $every_s);
}
