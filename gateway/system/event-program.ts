/**
 * The part of the program for perl (see lookout-program.ts) that hears from the kernel what changes in this network
 * namespace: links, addresses, routes, rules, and what hangs in nf_tables. Of a transaction of nf_tables it tells at its
 * end, and of each object once, as its rules are many. Formats: linux/rtnetlink.h, linux/netfilter/nf_tables.h.
 *
 * A line of output: 'link NAME CARRIES GONE', 'address LINK FAMILY HEXADECIMAL PREFIX-LENGTH GONE', 'route PROTOCOL',
 * 'rule PROTOCOL', 'nft PID FAMILY OBJECT GONE TABLE NAME'. PID is of who made the transaction; NAME is of the chain or set,
 * and '-' where there is none; CARRIES and GONE are 0 or 1. Or 'missed': at the start, when it listens, and when the kernel
 * had more to tell than it kept; all links are told of then.
 */
export const EVENT_PROGRAM = String.raw`
my (%names, %transaction);
# Values of attributes, by their types. Those that are looked for come first where much follows.
sub attributes {
  my ($data, $at, @types) = @_;
  my ($left, %found) = (scalar @types);
  my %wanted = map { ($_, 1) } @types;
  while ($left > 0 && $at + 4 <= length $data) {
    my ($length, $type) = unpack("x$at S S", $data);
    last if $length < 4;
    $type &= 0x3fff;
    if ($wanted{$type}) { $found{$type} = substr($data, $at + 4, $length - 4); $left-- }
    $at += $length + 3 & ~3;
  }
  return @found{@types};
}
# A line is a line, whatever something is called.
sub word { my $word = unpack('Z*', $_[0] // ''); $word =~ s/[^!-~]/?/g; return $word eq '' ? '-' : $word }
sub name_of {
  my ($socket, $index) = @_;
  return $names{$index} if $names{$index};
  my $request = pack('x16 i x20', $index);
  return $names{$index} = ioctl($socket, 0x8910, $request) ? word($request) : '-';
}
sub hear_route {
  my ($socket, $type, $data) = @_;
  if ($type == 16 || $type == 17) {
    my ($index, $flags) = unpack('x4 i L', $data);
    my $name = word(attributes($data, 16, 3));
    if ($type == 16) { $names{$index} = $name } else { delete $names{$index} }
    return sprintf "link %s %d %d\n", $name, ($flags & 0x41) != 1, $type == 17;
  }
  if ($type == 20 || $type == 21) {
    my ($family, $length, $index) = unpack('C C x2 L', $data);
    my ($address, $local) = attributes($data, 8, 1, 2);
    my $held = unpack('H*', $local // $address // '') or return '';
    return sprintf "address %s %d %s %d %d\n", name_of($socket, $index), $family == 2 ? 4 : 6, $held, $length, $type == 21;
  }
  if ($type == 24 || $type == 25) { return 'route ' . unpack('x5 C', $data) . "\n" }
  if ($type == 32 || $type == 33) { return 'rule ' . unpack('C', (attributes($data, 12, 21))[0] // "\0") . "\n" }
  return '';
}
my %families = (1 => 'inet', 2 => 'ip', 5 => 'netdev', 10 => 'ip6');
# By message type, with the attribute that holds its own name.
my @objects = (['table', 0], ['chain', 3], ['rule', 2], ['set', 2], ['element', 2]);
sub hear_nft {
  my ($socket, $type, $data) = @_;
  return '' if $type >> 8 != 10;
  $type &= 0xff;
  if ($type == 15) {
    my $pid = unpack('N', (attributes($data, 4, 2))[0] // "\0\0\0\0");
    my $said = join '', map { "nft $pid $_\n" } keys %transaction;
    %transaction = ();
    return $said;
  }
  my $family = $families{unpack 'C', $data};
  my $object = $objects[$type / 3];
  return '' if !$object || !$family || $type % 3 == 1;
  my ($table, $name) = attributes($data, 4, 1, $object->[1] || ());
  $transaction{join ' ', $family, $object->[0], $type % 3 == 2 ? 1 : 0, word($table), word($name)} = 1;
  return '';
}
sub listener {
  my ($protocol, $groups, $bytes, $decode) = @_;
  socket(my $socket, 16, 3 | 2048, $protocol) or die "netlink: $!";
  # Beyond what the machine allows everybody, as a change may be large.
  setsockopt($socket, 1, 33, pack('i', $bytes)) or setsockopt($socket, 1, 8, pack('i', $bytes));
  bind($socket, pack('S x2 L L', 16, 0, $groups)) or die "netlink: $!";
  return [$socket, $decode];
}
my @listeners = (
  # Links, and addresses, routes and rules of both families.
  listener(0, 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000, 4 << 20, \&hear_route),
  listener(12, 0x40, 16 << 20, \&hear_nft),
);
# The names of all, since one that went is not found by its number.
sub name_links { syswrite($listeners[0][0], pack('L S S x8 x16', 32, 18, 0x301)) }
name_links();
sub hear_kernel {
  my ($listener) = @_;
  my ($socket, $decode) = @$listener;
  my (%said, $said);
  # A storm does not keep us here, but for what was kept of one that was too large.
  for (my $turn = 0; $turn < 64 || $listener->[2]; $turn++) {
    my $count = sysread($socket, my $data, 65536);
    if (!defined $count) {
      if ($! == ENOBUFS) { $listener->[2] = 1; next }
      $! == EAGAIN or die "netlink: $!";
      # Until all that was kept is read, the kernel keeps nothing more, and does not say so.
      if ($listener->[2]) { $said{"missed\n"} = 1; $listener->[2] = 0; %transaction = (); name_links() }
      last;
    }
    for (my $at = 0; $at + 16 <= $count;) {
      my ($length, $type) = unpack("x$at L S", $data);
      if ($length < 16 || $at + $length > $count) { $listener->[2] = 1; last }
      my $line = $decode->($socket, $type, substr($data, $at + 16, $length - 16));
      # What came and went and came is told in full; of the rest, that it was.
      if ($line =~ /^[la]/) { $said .= $line } elsif ($line ne '') { $said{$line} = 1 }
      $at += $length + 3 & ~3;
    }
  }
  $said = join '', $said // '', keys %said;
  syswrite(STDOUT, $said) if $said ne '';
}
`;
