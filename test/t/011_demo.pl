# The demo shows how far the first copy is, and ends with both sides equal.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{SHOW_SECONDS} = 2;
delete $ENV{KEEP};
my ($out, $err) =
  run_command([ $^X, "$FindBin::RealBin/../demo/demo" ]);
is($?, 0, 'the demo ends well') or diag($out, $err);
like($out, qr/^ +Both sides are equal\.$/m, 'and both sides are equal');

# The bars of each table, in the order in which they were shown.
my %bars;
my $between = 0;
while ($out =~ /^ +(shop\.\w+) +(\w+) +\[(#*) *\]/mg)
{
	my ($table, $phase, $length) = ($1, $2, length($3));

	push @{ $bars{$table} }, $length;
	$between++ if $phase eq 'copying' && $length > 0 && $length < 25;
	is($length, 25, "$table is shown as whole when it is ready")
	  if $phase eq 'ready';
}
is( join(' ', sort keys %bars),
	'shop.customers shop.order_lines shop.orders shop.products',
	'every table has a bar');
cmp_ok($between, '>', 0, 'which is shown between its ends');
foreach my $table (sort keys %bars)
{
	my @bars = @{ $bars{$table} };

	is("@bars", join(' ', sort { $a <=> $b } @bars), "that of $table grows");
}

done_testing();
