# Values near PostgreSQL's limit of 1 GB.  They need gigabytes of memory and
# disk, so this runs only where PG_TEST_EXTRA has the word "huge".

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'PG_TEST_EXTRA does not have the word "huge"'
  unless ($ENV{PG_TEST_EXTRA} || '') =~ /\bhuge\b/;

# MyISAM has no redo log that such values would have to fit into.
my $maria = MariaDBServer->new(
	'source',
	options => {
		max_allowed_packet     => '1G',
		default_storage_engine => 'MyISAM'
	});
my $node = sync_node('replica');
add_source($node, $maria);
$maria->sql(
	q{
CREATE DATABASE h;
USE h;
CREATE TABLE fits (id int PRIMARY KEY, b longblob, t longtext CHARACTER SET utf8mb4);
CREATE TABLE grows (id int PRIMARY KEY, before_it int, t longtext CHARACTER SET latin1);
CREATE TABLE adds_up (id int PRIMARY KEY, t longtext CHARACTER SET latin1, u longtext CHARACTER SET latin1);
CREATE TABLE small (id int PRIMARY KEY);
});

# The most memory that the process has had, and what it has, in MB
sub memory
{
	my ($pid) = @_;

	my $status = slurp_file("/proc/$pid/status");
	my ($peak) = $status =~ /^VmHWM:\s+(\d+)/m;
	my ($now)  = $status =~ /^VmRSS:\s+(\d+)/m;
	return (int($peak / 1024), int($now / 1024));
}

sub sums
{
	return $maria->sql(
		'SELECT id, md5(b), length(b), md5(t), length(t) FROM fits ORDER BY id',
		'h') =~ s/\t/|/gr;
}

# What fits, both ways
create_subscription($node, 'fits', 'source', [ 'h.fits', 'h.small' ]);
wait_for_catchup($node, 'fits');
$maria->sql(
	q{
INSERT INTO fits VALUES (1, REPEAT(X'00FF10A5', 131072000), NULL);
INSERT INTO fits VALUES (2, NULL, REPEAT(_utf8mb4 X'C3BC', 200000000));
UPDATE fits SET id = 3 WHERE id = 2;
}, 'h');
wait_for_catchup($node, 'fits');
my $query =
  'SELECT id, md5(b), octet_length(b), md5(t), octet_length(t) FROM h.fits ORDER BY id';
my $sums = sums() =~ s/NULL//gr;
is($node->safe_psql('postgres', $query), $sums, '500 MB by the stream');
my ($peak) = memory(view_value($node, 'fits', 'pid'));
cmp_ok($peak, '<', 4000, "in $peak MB of memory");
create_subscription($node, 'copy', 'source', ['h.fits'],
	{ schema_map => { h => 'copied' }, snapshot_workers => 1 });
wait_for_catchup($node, 'copy');
is($node->safe_psql('postgres', $query =~ s/h\.fits/copied.fits/r),
	$sums, 'and by the copy');
$node->safe_psql('postgres', "SELECT mariadb_sync.drop_subscription('$_')")
  foreach qw(fits copy);
$node->safe_psql('postgres',
	'DROP SCHEMA h CASCADE; DROP SCHEMA copied CASCADE');

# What does not: 600 MB of characters that need two bytes here, and two values
# that do not make a row together
foreach my $case (
	[
		'grows',
		q{INSERT INTO grows VALUES (1, 2, REPEAT(X'FC', 600000000))},
		qr/text in character set "latin1" is too large.*1200000000 bytes/s,
		qr/column "t"/
	],
	[
		'adds_up',
		q{INSERT INTO adds_up VALUES (1, REPEAT(X'FC', 300000000), REPEAT(X'FC', 300000000))},
		qr/row of source table "h\.adds_up" is too large.*1200000\d\d\d bytes/s,
		qr/HINT:/
	])
{
	my ($table, $insert, $error, $also) = @$case;

	create_subscription($node, 'sub', 'source', [ "h.$table", 'h.small' ]);
	wait_for_catchup($node, 'sub');
	$maria->sql('INSERT INTO small SELECT count(*) FROM small', 'h');
	my $before = $maria->gtid;
	$maria->sql($insert, 'h');
	my $gtid = $maria->gtid;
	$maria->sql('INSERT INTO small SELECT count(*) FROM small', 'h');

	foreach my $way ('stream', 'copy')
	{
		wait_for_state($node, 'sub', 'error');
		my $text = view_value($node, 'sub', 'last_error');
		like($text, $error,                       "$table, $way: refused");
		like($text, qr/source table "h\.$table"/, 'with the table');
		like($text, $also,                        'and where or what to do');
		if ($way eq 'stream')
		{
			is(view_value($node, 'sub', 'last_error_gtid'),
				$gtid, 'and the GTID');
			is(view_value($node, 'sub', 'applied_gtid'),
				$before, 'what came before is applied');

			# the same by a copy
			$node->safe_psql(
				'postgres', qq{
SELECT mariadb_sync.drop_subscription('sub');
DROP SCHEMA h CASCADE});
			create_subscription($node, 'sub', 'source',
				[ "h.$table", 'h.small' ]);
		}
	}
	# A way out: without the column
	$node->safe_psql(
		'postgres', qq{
SELECT mariadb_sync.remove_table('sub', 'h.$table');
DROP TABLE h.$table;
SELECT mariadb_sync.start('sub');
SELECT mariadb_sync.add_table('sub', 'h.$table', columns => '{"t": null}')});
	wait_for_catchup($node, 'sub');
	is($node->safe_psql('postgres', "SELECT id FROM h.$table"),
		'1', 'without the column the table is followed');
	my ($peak_now, $now) = memory(view_value($node, 'sub', 'pid'));
	cmp_ok($now, '<', 300, "the worker has $now MB, $peak_now MB at most");
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('sub'); DROP SCHEMA h CASCADE}
	);
}
unlike(
	slurp_file($node->logfile),
	qr/PANIC|was terminated by signal/,
	'nothing crashed');

$node->stop;
$maria->stop;
done_testing();
