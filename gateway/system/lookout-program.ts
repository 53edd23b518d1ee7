/**
 * A program for perl, which is part of every Debian and may open sockets that Node may not: it hears what changes in the
 * kernel (event-program.ts) and asks neighbours (neighbour-program.ts). One for both, as a program that waits costs its
 * memory by itself. It ends with its input.
 */
import { EVENT_PROGRAM } from './event-program.js';
import { NEIGHBOUR_PROGRAM } from './neighbour-program.js';

export const LOOKOUT_PROGRAM = String.raw`
use strict; use warnings; use Errno qw(EAGAIN ENETDOWN ENOBUFS);
# Since some moment, by steps of 10 ms: what is part of every Debian knows no finer without a megabyte more.
open(my $uptime, '<', '/proc/uptime') or die "uptime: $!";
sub uptime { sysseek($uptime, 0, 0); sysread($uptime, my $text, 32); (split / /, $text)[0] }
${EVENT_PROGRAM}
${NEIGHBOUR_PROGRAM}
$now = uptime();
vec(my $awaited = '', fileno(STDIN), 1) = 1;
vec($awaited, fileno($_->[0]), 1) = 1 for @listeners;
my $pending = '';
# What came before is not heard.
syswrite(STDOUT, "missed\n");
while (1) {
  my $ready = $awaited;
  select($ready, undef, undef, until_question()) < 0 and next;
  $now = uptime();
  my $changed = hear_neighbours();
  if (vec($ready, fileno(STDIN), 1)) {
    sysread(STDIN, $pending, 65536, length $pending) or exit;
    while ($pending =~ s/^(\S+) ?(.*)\n//) { $changed = 1 if $1 ne 'links' || set_links(split / /, $2) }
  }
  $changed = 1 if ask_neighbours();
  report() if $changed;
  for (@listeners) { hear_kernel($_) if vec($ready, fileno($_->[0]), 1) }
}
`;
