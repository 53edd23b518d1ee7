/**
 * A program for perl, which is part of every Debian and may open raw sockets, as Node may not: pings, of which any number
 * may be under way. A line of input is TOKEN FROM TO [LINK]: 16 hexadecimal digits that nobody guesses, the gateway's own
 * address and the far one, of one family, and the link that it leaves by, whatever leads elsewhere; by which link the answer
 * comes is the far end's affair. It says 'ready' as soon as it reads; else a line of output is the TOKEN of a ping that was
 * answered, or TOKEN and a reason for one that could not be sent.
 */
export const ECHO_PROGRAM = String.raw`
use strict; use warnings; use Errno; use Socket qw(:DEFAULT inet_pton inet_ntop pack_sockaddr_in6 AF_INET6);
my (%sockets, %hearing);
sub socket_of {
  my ($from, $six, $link) = @_;
  return $sockets{"$from $link"} if $sockets{"$from $link"};
  socket(my $socket, $six ? AF_INET6 : AF_INET, SOCK_RAW | 2048, $six ? 58 : 1) or return;
  # Only answers come in, of ICMP type 0, of ICMPv6 type 129; where it is bound to a link, none.
  my $heard = $link eq '' ? 1 : 0;
  if ($six) { setsockopt($socket, 58, 1, pack('L8', map { ~($_ == 4 ? 2 * $heard : 0) & 0xffffffff } 0 .. 7)) or return }
  else { setsockopt($socket, 255, 1, pack('L', ~$heard & 0xffffffff)) or return }
  setsockopt($socket, SOL_SOCKET, 25, pack('Z*', $link)) or return unless $heard;
  bind($socket, $six ? pack_sockaddr_in6(0, inet_pton(AF_INET6, $from)) : pack_sockaddr_in(0, inet_aton($from))) or return;
  $hearing{fileno $socket} = [$socket, $six] if $heard;
  return $sockets{"$from $link"} = $socket;
}
sub checksum {
  my $sum = 0;
  $sum += $_ for unpack 'n*', $_[0];
  $sum = ($sum >> 16) + ($sum & 0xffff) while $sum >> 16;
  return ~$sum & 0xffff;
}
sub ask {
  my ($token, $from, $to, $link) = @_;
  my $six = $to =~ /:/;
  my $socket = socket_of($from, $six, '');
  # A link that was made anew has another number.
  if (defined $link) { delete $sockets{"$from $link"}; $socket = socket_of($from, $six, $link) if $socket }
  my $packet = pack('C C n n n H16', $six ? 128 : 8, 0, 0, hex substr($token, 0, 4), 1, $token);
  # The kernel sums up ICMPv6.
  substr($packet, 2, 2) = pack 'n', checksum($packet) unless $six;
  my $where = $six ? pack_sockaddr_in6(0, inet_pton(AF_INET6, $to)) : pack_sockaddr_in(0, inet_aton($to));
  return if $socket && defined send($socket, $packet, 0, $where);
  syswrite STDOUT, "$token " . ($!{EHOSTUNREACH} ? 'EHOSTUNREACH' : $!{ENETUNREACH} ? 'ENETUNREACH' : "$!") . "\n";
}
sub hear {
  my ($socket, $six) = @{$_[0]};
  my $said = '';
  # A storm does not keep us here.
  for (1 .. 256) {
    defined recv($socket, my $packet, 128, 0) or last;
    # ICMP comes with its IP header, ICMPv6 without.
    my $at = $six ? 0 : 4 * (ord($packet) & 15);
    next if length($packet) < $at + 16;
    $said .= unpack('H16', substr $packet, $at + 8, 8) . "\n";
  }
  syswrite STDOUT, $said if $said ne '';
}
my $pending = '';
syswrite STDOUT, "ready\n";
while (1) {
  my $ready = '';
  vec($ready, $_, 1) = 1 for 0, keys %hearing;
  select($ready, undef, undef, undef) < 0 and next;
  for (keys %hearing) { hear($hearing{$_}) if vec($ready, $_, 1) }
  next unless vec($ready, 0, 1);
  sysread(STDIN, $pending, 65536, length $pending) or exit;
  while ($pending =~ s/^([0-9a-f]{16}) (\S+) (\S+)(?: (\S+))?\n//) { ask($1, $2, $3, $4) }
}
`;
