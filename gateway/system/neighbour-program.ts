/**
 * The part of the program for perl (see lookout-program.ts) that asks neighbours. On each link it asks whether they are
 * there, from the link's own MAC address: first who answered last, by itself, and all when nobody did; seldom, where that
 * goes on. It says how long ago somebody answered when three questions in a row were not answered, when one is again, and
 * when it is asked for.
 *
 * IPv4 is asked by ARP, as nobody: a sender of 0.0.0.0 changes no cache. IPv6 is asked by neighbour solicitation, from the
 * link-local address that the MAC address makes: from nobody it would be a claim, and whoever has the address would give
 * it up while it tests it. The entry that it leaves at a neighbour is of that address alone.
 *
 * A line of input: 'links MILLISECONDS', between questions, then for each link NAME/INDEX/MAC/WATCHED/NEIGHBOUR,NEIGHBOUR;
 * watched is an address whose holder is of interest by itself, or empty. Addresses of a link are of one family, in
 * hexadecimal. What is known of a link that is named as before stays. Or 'ask', for an answer as soon as can be. A line of
 * output: 'answers', then for each link NAME/GONE/ANSWERED/WATCHED, the last two in milliseconds ago, -1 for never; 'lost
 * NAME' of a link by which nobody can be asked any more, until it is named again.
 */
export const NEIGHBOUR_PROGRAM = String.raw`
# Answers to us alone: the kernel keeps what others ask each other, which on a large segment is a lot.
sub only {
  my ($bytes, @tests) = @_;
  my @steps = map { ([$tests[$_][0], 0, 0, $tests[$_][1]], [0x15, 0, 2 * ($#tests - $_) + 1, $tests[$_][2]]) } 0 .. $#tests;
  return join '', map { pack('S C C L', @$_) } @steps, [6, 0, 0, $bytes], [6, 0, 0, 0];
}
my ($word, $half) = (0x20, 0x28);
my ($tick, $now, $asked, $next, $watching, $count, @links) = (0, 0, 0, 0, '', 0);
my $lost = 3;
sub link_of {
  my ($name, $index, $mac, $watched, $neighbours) = split m{/}, $_[0];
  my $six = "$watched,$neighbours" =~ /\w{32}/;
  my $type = $six ? 0x86dd : 0x0806;
  $mac = pack('H12', $mac =~ s/://gr);
  my ($high, $low) = unpack('N n', $mac);
  my $filter = $six
    ? only(78, [$word, 0, $high], [$half, 4, $low], [$half, 20, 0x3aff], [$half, 54, 0x8800])
    : only(60, [$half, 20, 2], [$word, 32, $high], [$half, 36, $low]);
  # Of no protocol until it is bound: nothing comes before the filter.
  socket(my $socket, 17, 3 | 2048, 0) or return;
  setsockopt($socket, 1, 26, pack('S x![P] P', length($filter) / 8, $filter)) or return;
  bind($socket, pack('S n i S C C a8', 17, $type, $index, 0, 0, 6, '')) or return;
  return {
    text => $_[0], name => $name, socket => $socket, six => $six, mac => $mac,
    misses => 0, gone => 0, answered => -1, seen => -1,
    watched => pack('H*', $watched), neighbours => [map { pack('H*', $_) } split /,/, $neighbours // ''],
  };
}
sub arp {
  my ($mac, $address, $to) = @_;
  return pack('a6 a6 n n n C C n a6 N a6 a4', $to // "\xff" x 6, $mac, 0x0806, 1, 0x0800, 6, 4, 1, $mac, 0, '', $address);
}
sub solicitation {
  my ($mac, $address, $to) = @_;
  my $own = pack('n x6 a3 n a3', 0xfe80, $mac ^ "\2", 0xfffe, substr($mac, 3));
  my $all = pack('n x9 C C a3', 0xff02, 1, 0xff, substr($address, 13));
  my $ends = $own . (defined $to ? $address : $all);
  my $asks = pack('C x7 a16 C C a6', 135, $address, 1, 1, $mac);
  my $sum = unpack('%32n*', $ends . pack('N N', length $asks, 58) . $asks);
  substr($asks, 2, 2) = pack('n', ~(($sum & 0xffff) + ($sum >> 16)) & 0xffff);
  return pack('a6 a6 n N n C C', $to // "\x33\x33" . substr($all, 12), $mac, 0x86dd, 6 << 28, length $asks, 58, 255) . $ends . $asks;
}
# All, unless one is named by its MAC address.
sub ask {
  my ($link, $address, $to) = @_;
  my $question = $link->{questions}{$address . ($to // '')} //= ($link->{six} ? \&solicitation : \&arp)->($link->{mac}, $address, $to);
  defined(syswrite($link->{socket}, $question)) or $! == ENETDOWN or $! == ENOBUFS or $! == EAGAIN or $link->{lost} = 1;
}
sub hear {
  my ($link) = @_;
  my $heard = 0;
  # A storm does not keep us here.
  for (1 .. 256) {
    my $count = sysread($link->{socket}, my $frame, 78);
    if (!defined $count) { $link->{lost} = 1 unless $! == EAGAIN || $! == ENETDOWN; last }
    next if $count < ($link->{six} ? 78 : 42);
    my ($from, $address) = unpack($link->{six} ? 'x6 a6 x50 a16' : 'x22 a6 a4', $frame);
    if ($address eq $link->{watched}) { @$link{qw(seen holder)} = ($asked, $from) }
    if (grep { $_ eq $address } @{$link->{neighbours}}) { $heard = 1; @$link{qw(answered last at)} = ($asked, $address, $from) }
  }
  return $heard;
}
sub recent { $_[0]{seen} >= 0 && $now - $_[0]{seen} < ($lost + 0.5) * $tick }
sub ago { $_[0] < 0 ? -1 : int(($now - $_[0]) * 1000) }
sub report { syswrite(STDOUT, join(' ', 'answers', map { join '/', $_->{name}, $_->{gone}, ago($_->{answered}), ago($_->{seen}) } @links) . "\n") }
# True where nobody is left to ask.
sub set_links {
  my ($milliseconds, @texts) = @_;
  ($next, $asked) = ($now, $now) if !@links;
  ($tick, $watching, $count) = ($milliseconds / 1000, '', 0);
  my %kept = map { ($_->{text}, $_) } @links;
  @links = map { $kept{$_} // link_of($_) // { name => (split m{/})[0], lost => 1 } } @texts;
  leave_lost();
  return !@links;
}
# One that went would take the others with it.
sub leave_lost {
  for (grep { $_->{lost} } @links) { syswrite(STDOUT, "lost $_->{name}\n") }
  @links = grep { !$_->{lost} } @links;
}
sub until_question { return @links ? $next > $now ? $next - $now : 0 : undef }
# Of every link. Answers wait until the next question: they are as old as the last one, at least.
sub hear_neighbours {
  my $changed = 0;
  for my $link (@links) {
    next unless hear($link);
    $link->{misses} = -1;
    if ($link->{gone}) { $link->{gone} = 0; $changed = 1 }
  }
  return $changed;
}
# Where it is time.
sub ask_neighbours {
  return 0 if !@links || $now <= $next - 0.01;
  my $changed = 0;
  $next = $now + $tick;
  $asked = $now;
  my $seldom = $count++ % 5 == 0;
  for my $link (@links) {
    my $known = ++$link->{misses} == 0;
    if (@{$link->{neighbours}} && $link->{misses} == $lost) { $link->{gone} = 1; $changed = 1 }
    if ($known && $link->{last}) { ask($link, $link->{last}, $link->{at}) }
    elsif ($link->{misses} < 10 || $seldom) { ask($link, $_) for @{$link->{neighbours}} }
    next if $link->{watched} eq '';
    if (recent($link)) { ask($link, $link->{watched}, $link->{holder}) }
    elsif ($seldom) { ask($link, $link->{watched}) }
  }
  leave_lost();
  my $watched = join '', map { recent($_) ? 1 : 0 } @links;
  $changed = 1 if $watched ne $watching;
  $watching = $watched;
  return $changed;
}
`;
