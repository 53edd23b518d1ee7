/**
 * A program for perl, which is part of every Debian: it waits for all of its input, and then becomes the program that its
 * arguments name, whose input that is, in a pipe. So a program may be started beforehand that begins by itself.
 */
export const WAITING_PROGRAM = String.raw`
my $input = do { local $/; <STDIN> };
pipe(my $out, my $in) or die "pipe: $!\n";
syswrite $in, $input;
close $in;
open(STDIN, '<&', $out) or die "stdin: $!\n";
close $out;
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
`;
/** What a pipe holds that nobody reads yet. */
export const MOST_INPUT = 64 * 1024;
