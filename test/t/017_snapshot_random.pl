# A copy under a random schedule: workers, PostgreSQL and MariaDB are killed,
# the copy is paused, tables are emptied, rebuilt, altered and copied again, rows change
# their keys and one is changed all the time.  Both sides must be equal in the
# end.  SEED=number repeats a schedule, SCHEDULE_SECONDS makes it longer.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seed    = $ENV{SEED}             || 1 + int(rand(1_000_000));
my $seconds = $ENV{SCHEDULE_SECONDS} || 70;
my $rows    = 12_000;

diag("SEED=$seed");
srand($seed);

# Key and its values, and how a row gets another key.
my %keys = (
	by_int  => [ 'k int', 'CAST(seq AS SIGNED) * 2 - 9000', 'k = k + 1' ],
	by_date => [
		'k datetime(3)',
		q{'2001-01-01' + INTERVAL seq * 977 SECOND},
		'k = k + INTERVAL 1 SECOND'
	],
	by_bin => [
		'k varbinary(20)',
		'unhex(sha1(seq))',
		'k = unhex(sha1(concat(hex(k), v)))'
	],
	by_dec => [
		'k decimal(20,6)',
		'(CAST(seq AS SIGNED) - 6000) * 3.14159',
		'k = -k - 0.000001'
	],
	by_text => [ 'k varchar(60)', 'md5(seq)', 'k = md5(concat(k, v))' ]);
my @tables = sort keys %keys;
my $setup  = "CREATE DATABASE random;\nUSE random;\n";
foreach my $table (@tables)
{
	my ($column, $expression) = @{ $keys{$table} };
	$setup .=
	  "CREATE TABLE $table ($column, id int, v int, pad varchar(60), PRIMARY KEY (k), KEY (id));
INSERT INTO $table SELECT $expression, seq, 0, repeat('x', seq MOD 60) FROM seq_1_to_$rows;\n";
}

# One is large enough for its index to be built while it is changed.
$setup .= "ALTER TABLE by_bin ADD COLUMN fat varchar(1600);
UPDATE by_bin SET fat = repeat('f', 1600);\n";

my $maria = MariaDBServer->new('source');
$maria->sql($setup);

my $writer_number = 0;

sub start_writers
{
	return map {
		my $next_id = $rows + 100_000 * ++$writer_number;
		$maria->start_writer(
			sub {
				my $text = '';
				foreach my $table (@tables)
				{
					my $expression =
					  $keys{$table}[1] =~ s/\bseq\b/$next_id/gr;
					my ($move, $any, $gone) =
					  map { 1 + int(rand($rows)) } 1 .. 3;
					$text .= "
START TRANSACTION;
UPDATE IGNORE $table SET $keys{$table}[2] WHERE id = $move;
UPDATE $table SET v = v + 1 WHERE id IN ($any, 77);
DELETE FROM $table WHERE id = $gone AND id MOD 5 = 0;
INSERT IGNORE INTO $table (k, id, v, pad) VALUES ($expression, $next_id, 1, 'new');
COMMIT;";
				}
				$next_id++;
				usleep(20_000);
				return $text;
			},
			'random');
	} 1 .. 2;
}

# The log says which indexes are built beside the stream.
my $node = sync_node('replica',
	conf => "restart_after_crash = on\nlog_min_messages = debug1\n");
add_source($node, $maria);
my @writers = start_writers();
create_subscription(
	$node, 'sub', 'source',
	['random.*'],
	{
		snapshot_workers    => 2,
		snapshot_chunk_rows => 700,
		snapshot_max_rate   => 12_000,
		ddl                 => 'apply'
	});

# Runs a statement that may meet a server on its way down or up.
sub try_sql
{
	my ($sql) = @_;

	my ($out, $err) = ('', '');
	wait_until(
		$sql,
		sub {
			return $node->psql(
				'postgres', $sql,
				stdout => \$out,
				stderr => \$err) == 0;
		});
	return $out;
}

# Runs statements on the source, each again when it lost against the writers.
sub change_source
{
	foreach my $statement (@_)
	{
		my $error;
		do { $error = $maria->try_sql($statement, 'random'); }
		  while ($error =~ /ERROR 1213/);
		die "$error\nwhile running: $statement" if $error ne '';
	}
	return;
}

sub kill_worker
{
	my ($kind) = @_;

	my ($pid) = split(
		/\n/,
		try_sql(
			"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'mariadb_sync $kind worker%'"
		));
	kill('KILL', $pid) if $pid;
	return;
}

sub any_table
{
	return $tables[ int(rand(@tables)) ];
}

# A copy that finds the table's index there has none to build.
sub copy_again
{
	my ($table) = @_;

	try_sql(
		"DO \$\$ BEGIN EXECUTE coalesce((SELECT 'DROP INDEX ' || string_agg(indexrelid::regclass::text, ',')
	FROM pg_index WHERE indrelid = 'random.$table'::regclass AND NOT indisprimary), 'SELECT 1'); END \$\$;
SELECT mariadb_sync.resync_table('sub', 'random.$table')");
	return;
}

my $altered = 0;

# What may happen, and how often.
my %actions = (
	kill_snapshot_worker => [ 3, sub { kill_worker('snapshot') } ],
	kill_apply_worker    => [ 2, sub { kill_worker('apply') } ],
	end_snapshot_worker  => [
		2,
		sub {
			try_sql(
				q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE backend_type LIKE 'mariadb_sync snapshot worker%'});
		}
	],
	crash_postgres => [
		1,
		sub {
			$node->stop('immediate');
			$node->start;
		}
	],
	crash_mariadb => [
		1,
		sub {
			# what its clients have not sent is lost with it
			$maria->kill9;
			eval { $_->stop } foreach @writers;
			$maria->start;
			@writers = start_writers();
		}
	],
	pause => [
		2,
		sub {
			try_sql(q{SELECT mariadb_sync.pause_snapshot('sub')});
			usleep(int(rand(1_500_000)));
			try_sql(q{SELECT mariadb_sync.resume_snapshot('sub')});
		}
	],
	stop_and_start => [
		2,
		sub {
			try_sql(q{SELECT mariadb_sync.stop('sub')});
			usleep(int(rand(300_000)));
			try_sql(q{SELECT mariadb_sync.start('sub')});
		}
	],
	copy_again => [ 4, sub { copy_again(any_table()) } ],
	empty      => [
		1,
		sub {
			my $table = any_table();
			change_source(
				"TRUNCATE $table",
				"INSERT INTO $table (k, id, v, pad) SELECT $keys{$table}[1], seq, 0, 'anew' FROM seq_1_to_$rows"
			);
		}
	],
	alter => [
		4,
		sub {
			my $table  = any_table();
			my $number = ++$altered;
			my @added =
			  map { $_->[0] }
			  $maria->query_rows(
				"SHOW COLUMNS FROM $table WHERE field LIKE 'added%'",
				'random');
			my @clauses = (
				"ADD COLUMN added$number int NOT NULL DEFAULT $number",
				"ADD COLUMN added$number varchar(20) DEFAULT 'added' AFTER v",
				"MODIFY pad varchar(" . (60 + $number) . ")",
				@added ? "DROP COLUMN $added[0]" : 'FORCE');
			my $clause = $clauses[ int(rand(@clauses)) ];
			# and the new column has other values than its default
			change_source("ALTER TABLE $table $clause");
			change_source("UPDATE $table SET $1 = v + 7 WHERE id MOD 3 = 0")
			  if $clause =~ /^ADD COLUMN (\w+)/;
		}
	],
	rebuild => [ 3, sub { change_source('OPTIMIZE TABLE ' . any_table()) } ],
	flush   => [ 2, sub { $maria->sql('FLUSH BINARY LOGS') } ]);
my @choice = map { ($_) x $actions{$_}[0] } sort keys %actions;

my $deadline = time() + $seconds;
my %done;
while (time() < $deadline)
{
	usleep(int(rand(2_000_000)));
	my $name = $choice[ int(rand(@choice)) ];
	note(sprintf('%.1f s: %s', $seconds - ($deadline - time()), $name));
	$actions{$name}[1]->();
	$done{$name}++;
}

# In the end the large table is copied once more beside the writers.  Nobody
# waits in PostgreSQL meanwhile: indexes would not wait for that.
sub concurrent_indexes
{
	return () =
	  slurp_file($node->logfile) =~ /index "\w+" was built concurrently/g;
}
my $by_chance = concurrent_indexes();
$maria->sql(q{UPDATE by_bin SET fat = repeat('f', 1600)}, 'random');
try_sql(
	q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 0}')}
);
copy_again('by_bin');
wait_until(
	'all tables to be ready',
	sub {
		return try_sql(
			q{SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE state <> 'ready'}
		) eq '0';
	});
my $certain = concurrent_indexes() - $by_chance;
cmp_ok($certain, '>', 0,
	"an index was built beside the writers ($by_chance of earlier copies)");

# a writer that MariaDB took with it cannot say how much it wrote
eval { $_->stop } foreach @writers;
note join(', ', map { "$_ $done{$_}" } sort keys %done);
my ($written) = $maria->gtid =~ /(\d+)$/;
cmp_ok($written, '>', 1000, "the source was busy ($written transactions)");

# Errors on the way are transient; only the end counts.
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [ map { "random.$_" } @tables ]);
is( view_value(
		$node, 'sub',
		'confl_insert_exists, confl_update_missing, confl_delete_missing'),
	'0|0|0',
	"there were no conflicts (SEED=$seed)");
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready}
	),
	'0',
	'every index is complete');

$node->stop;
$maria->stop;
done_testing();
