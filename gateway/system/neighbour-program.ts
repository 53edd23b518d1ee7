/**
 * A program for perl, which is part of every Debian and may open raw sockets, as Node may not. On each link it asks
 * neighbours by ARP whether they are there, as nobody (a sender of 0.0.0.0 changes no cache), from the link's own MAC
 * address: first who answered last, by itself, and all when nobody did; seldom, where that goes on. It says how long ago
 * somebody answered when three questions in a row were not answered, when one is again, and when it is asked for.
 *
 * Arguments: milliseconds between questions, then for each link NAME/INDEX/MAC/WATCHED/NEIGHBOUR,NEIGHBOUR; watched is an
 * address whose holder is of interest by itself, or empty. A line of output: for each link NAME/GONE/ANSWERED/WATCHED,
 * the last two in milliseconds ago, -1 for never.
 */
export const NEIGHBOUR_PROGRAM = String.raw`
use strict; use warnings; use Errno qw(EAGAIN ENETDOWN ENOBUFS);
# Since some moment, by steps of 10 ms: what is part of every Debian knows no finer without a megabyte more.
open(my $uptime, '<', '/proc/uptime') or die "uptime: $!";
sub uptime { sysseek($uptime, 0, 0); sysread($uptime, my $text, 32); (split / /, $text)[0] }
# Answers to us alone: the kernel keeps what others ask each other, which on a large segment is a lot.
sub answers_to {
  my ($high, $low) = unpack('N n', $_[0]);
  my @steps = ([0x28, 0, 0, 20], [0x15, 0, 5, 2], [0x20, 0, 0, 32], [0x15, 0, 3, $high], [0x28, 0, 0, 36], [0x15, 0, 1, $low], [6, 0, 0, 60], [6, 0, 0, 0]);
  return join '', map { pack('S C C L', @$_) } @steps;
}
my ($tick, @links) = (shift() / 1000);
my $lost = 3;
for (@ARGV) {
  my ($name, $index, $mac, $watched, $neighbours) = split m{/};
  socket(my $socket, 17, 3 | 2048, unpack('S', pack('n', 0x0806))) or die "socket: $!";
  my $mac_bytes = pack('H12', $mac =~ s/://gr);
  my $filter = answers_to($mac_bytes);
  setsockopt($socket, 1, 26, pack('S x![P] P', length($filter) / 8, $filter)) or die "$name: $!";
  bind($socket, pack('S n i S C C a8', 17, 0x0806, $index, 0, 0, 6, '')) or die "$name: $!";
  my $pack = sub { pack('C4', split /\./, $_[0]) };
  push @links, {
    name => $name, socket => $socket, mac => $mac_bytes, misses => 0, gone => 0, answered => -1, seen => -1,
    watched => $watched eq '' ? '' : $pack->($watched), neighbours => [map { $pack->($_) } split /,/, $neighbours // ''],
  };
}
my $now = uptime();
my $asked = $now;
sub ask {
  my ($link, $to, $address) = @_;
  my $question = $link->{questions}{$to . $address} //= pack('a6 a6 n n n C C n a6 N a6 a4', $to, $link->{mac}, 0x0806, 1, 0x0800, 6, 4, 1, $link->{mac}, 0, '', $address);
  defined(syswrite($link->{socket}, $question)) or $! == ENETDOWN or $! == ENOBUFS or $! == EAGAIN or exit 1;
}
sub hear {
  my ($link) = @_;
  my $heard = 0;
  # A storm does not keep us here.
  for (1 .. 256) {
    my $count = sysread($link->{socket}, my $frame, 60);
    if (!defined $count) { last if $! == EAGAIN || $! == ENETDOWN; exit 1 }
    next if $count < 42;
    my (undef, undef, $operation, $from, $address, $to) = unpack('a12 a8 n a6 a4 a6', $frame);
    next unless $operation == 2 && $to eq $link->{mac};
    if ($address eq $link->{watched}) { @$link{qw(seen holder)} = ($asked, $from) }
    if (grep { $_ eq $address } @{$link->{neighbours}}) { $heard = 1; @$link{qw(answered last at)} = ($asked, $address, $from) }
  }
  return $heard;
}
sub recent { $_[0]{seen} >= 0 && $now - $_[0]{seen} < ($lost + 0.5) * $tick }
sub ago { $_[0] < 0 ? -1 : int(($now - $_[0]) * 1000) }
sub report { syswrite(STDOUT, join(' ', map { join '/', $_->{name}, $_->{gone}, ago($_->{answered}), ago($_->{seen}) } @links) . "\n") }
my ($next, $watching, $count) = ($now, '', 0);
vec(my $commands = '', fileno(STDIN), 1) = 1;
while (1) {
  my $ready = $commands;
  # Answers wait until the next question: they are as old as the last one, at least.
  select($ready, undef, undef, $next > $now ? $next - $now : 0);
  $now = uptime();
  my $changed = 0;
  for my $link (@links) {
    next unless hear($link);
    $link->{misses} = -1;
    if ($link->{gone}) { $link->{gone} = 0; $changed = 1 }
  }
  if (vec($ready, fileno(STDIN), 1)) { exit unless sysread(STDIN, my $line, 4096); $changed = 1 }
  if ($now > $next - 0.01) {
    $next = $now + $tick;
    $asked = $now;
    my $seldom = $count++ % 5 == 0;
    for my $link (@links) {
      my $known = ++$link->{misses} == 0;
      if (@{$link->{neighbours}} && $link->{misses} == $lost) { $link->{gone} = 1; $changed = 1 }
      if ($known && $link->{last}) { ask($link, $link->{at}, $link->{last}) }
      elsif ($link->{misses} < 10 || $seldom) { ask($link, "\xff" x 6, $_) for @{$link->{neighbours}} }
      next if $link->{watched} eq '';
      if (recent($link)) { ask($link, $link->{holder}, $link->{watched}) }
      elsif ($seldom) { ask($link, "\xff" x 6, $link->{watched}) }
    }
    my $watched = join '', map { recent($_) ? 1 : 0 } @links;
    $changed = 1 if $watched ne $watching;
    $watching = $watched;
  }
  report() if $changed;
}
`;
