# Tables are copied in chunks while the source goes on writing: rows that
# move between chunks, at their edges and all the time, for every kind of key
# that ranges can be cut by.  Both sides must be equal in the end.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $rows = 6000;

my $maria = MariaDBServer->new('source');
my %keys  = (
	by_int    => [ 'k int', 'CAST(seq AS SIGNED) * 3 - 9000' ],
	by_bigint =>
	  [ 'k bigint unsigned', '18446744073709551615 - seq * 1000000007' ],
	by_negative => [ 'k smallint', 'CAST(seq AS SIGNED) - 3000' ],
	by_date     => [ 'k date',     q{'1970-01-01' + INTERVAL seq DAY} ],
	by_datetime => [
		'k datetime(6)',
		q{'1969-12-30' + INTERVAL seq * 1234567 MICROSECOND}
	],
	by_stamp => [
		'k timestamp(3) NOT NULL DEFAULT 0',
		q{'1999-12-30' + INTERVAL seq * 1234567 MICROSECOND}
	],
	by_decimal =>
	  [ 'k decimal(12,4)', '(CAST(seq AS SIGNED) - 3000) * 1.0371' ],
	by_binary => [ 'k binary(16)', 'unhex(md5(seq))' ],
	by_varbin =>
	  [ 'k varbinary(16)', 'left(unhex(sha1(seq)), 3 + seq MOD 10)' ],
	by_text => [ 'k varchar(40)', 'md5(seq)' ],
	by_uuid => [
		'k uuid',
		q{insert(md5(seq), 13, 1, substr('0123456789abcdef', 1 + seq MOD 8, 1))}
	]);
my $setup = "CREATE DATABASE chunks;\nUSE chunks;\n";

foreach my $table (sort keys %keys)
{
	my ($column, $expression) = @{ $keys{$table} };
	$setup .= "CREATE TABLE $table ($column, id int, v int, PRIMARY KEY (k));
INSERT IGNORE INTO $table SELECT $expression, seq, 0 FROM seq_1_to_$rows;\n";
}
# the bytes that a sortable form must not confuse
$setup .= q{
INSERT IGNORE INTO by_varbin VALUES ('', -1, 0), (x'00', -2, 0), (x'0000', -3, 0), (x'00FF', -4, 0), (x'01', -5, 0);
CREATE TABLE by_two (a tinyint, b int unsigned, c varchar(10), id int, v int, PRIMARY KEY (a, b, c));
INSERT INTO by_two SELECT CAST(seq AS SIGNED) MOD 7 - 3, seq, 'c', seq, 0 FROM seq_1_to_6000;
CREATE TABLE by_prefix (a int, c varchar(40), id int, v int, PRIMARY KEY (a, c));
INSERT INTO by_prefix SELECT seq MOD 40, md5(seq), seq, 0 FROM seq_1_to_6000;
CREATE TABLE with_unique (k int PRIMARY KEY, u int UNIQUE, id int, v int);
INSERT INTO with_unique SELECT seq, seq, seq, 0 FROM seq_1_to_6000;
};
$maria->sql($setup);
my @tables = (sort(keys %keys), qw(by_two by_prefix with_unique));

# New keys of old rows, from one chunk to another, in one statement and in two.
my %moves = (
	by_int      => 'k = k + 1',
	by_bigint   => 'k = k - 500000000003',
	by_negative => 'k = k + 7000',
	by_date     => 'k = k + INTERVAL 7000 DAY',
	by_datetime => 'k = k + INTERVAL 1777777 MICROSECOND',
	by_stamp    => 'k = k + INTERVAL 1777000 MICROSECOND',
	by_decimal  => 'k = -k - 0.0001',
	by_binary   => 'k = unhex(md5(concat(hex(k), v)))',
	by_varbin   => 'k = left(unhex(sha1(concat(hex(k), v))), 11)',
	by_text     => 'k = md5(concat(k, v))',
	by_uuid     =>
	  q{k = insert(md5(concat(k, v)), 13, 1, substr('0123456789abcdef', 1 + v MOD 8, 1))},
	by_two      => 'a = a + 1 - 5 * (a > 2), b = b + 10000',
	by_prefix   => 'a = 39 - a',
	with_unique => 'k = k + 20000, u = u + 20000');

sub writer
{
	my ($number) = @_;

	return $maria->start_writer(
		sub {
			my $text = '';
			foreach my $table (@tables)
			{
				my $move = 1 + int(rand($rows));
				my $any  = 1 + int(rand($rows));
				my $gone = 1 + int(rand($rows));
				$text .= "
START TRANSACTION;
UPDATE IGNORE $table SET $moves{$table} WHERE id = $move;
UPDATE $table SET v = v + 1 WHERE id IN ($any, 1, " . $rows / 2 . ");
DELETE FROM $table WHERE id = $gone AND id MOD 3 = 0;
COMMIT;";
			}
			return $text;
		},
		'chunks');
}

# The source mixes up sessions that ask for the position of their read views at
# the same time.
sub watcher
{
	return $maria->start_writer(
		sub {
			return "
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
" . "SHOW STATUS LIKE 'binlog_snapshot_position';\n" x 4000 . "COMMIT;";
		},
		'chunks');
}

$maria->sql(join('', map { "CREATE INDEX i ON $_ (id);\n" } @tables),
	'chunks');

my $node = sync_node('replica');
add_source($node, $maria);
foreach my $workers (1, 3)
{
	note "snapshot_workers = $workers";
	my @writers  = map { writer($_) } 1 .. 2;
	my @watchers = map { watcher() } 1 .. 2;
	my $log      = -s $node->logfile;
	create_subscription($node, 'sub', 'source', ['chunks.*'],
		{ snapshot_workers => $workers, snapshot_chunk_rows => 500 });
	$node->poll_query_until(
		'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables}
	) or die 'the tables do not become ready while the source is busy';

	# neither a line for each table nor one for each chunk
	my @lines = grep { !/ checkpoint / }
	  slurp_file($node->logfile, $log) =~ /^(.* LOG: .*)$/mg;
	cmp_ok(scalar @lines, '<', 5, 'few lines are logged')
	  or diag(join("\n", @lines));
	my $written = 0;
	$written += $_->stop foreach @writers;
	$_->stop foreach @watchers;
	cmp_ok($written, '>', 3, "the source was busy ($written rounds)");
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, [ map { "chunks.$_" } @tables ]);
	is( view_value(
			$node,
			'sub',
			'confl_insert_exists, confl_update_missing, confl_delete_missing, sync_error_count'
		),
		'0|0|0|0',
		'there were no conflicts');
	is( $node->safe_psql(
			'postgres', q{
SELECT string_agg(source_table, ' ' ORDER BY source_table)
FROM mariadb_sync.pg_stat_progress_mariadb_sync WHERE chunks_total = 1}),
		'chunks.by_text',
		'all keys but those of text are cut');
	is( $node->safe_psql(
			'postgres', q{
SELECT count(*) FROM mariadb_sync.pg_stat_progress_mariadb_sync
WHERE chunks_done <> chunks_total OR phase <> 'ready'}),
		'0',
		'all chunks are done');
	is( $node->safe_psql(
			'postgres', q{
SELECT count(*) FROM pg_indexes WHERE schemaname = 'chunks' AND indexdef LIKE '%(id)'}
		),
		scalar @tables,
		'secondary indexes are there');
	ok( $node->poll_query_until(
			'postgres', q{
SELECT count(*) = 0 FROM pg_class
WHERE relnamespace = 'chunks'::regnamespace AND relkind = 'r' AND reltuples <= 0}
		),
		'and statistics');

	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('sub')});
	$node->safe_psql('postgres', 'DROP SCHEMA chunks CASCADE');
}
$node->stop;
$maria->stop;
done_testing();
