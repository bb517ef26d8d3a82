# PostgreSQL fails over, is restored to an earlier moment, dumped and restored,
# or upgraded: the position is in the same place as the rows, so that the
# subscription goes on exactly once.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use SyncCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE bank;
USE bank;
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE journal (account int, amount int);
INSERT INTO account SELECT seq, 1000 FROM seq_1_to_200;
CREATE DATABASE large;
USE large;
CREATE TABLE half (id int PRIMARY KEY, v int, pad varchar(100));
INSERT INTO half SELECT seq, 0, repeat('x', 80) FROM seq_1_to_60000});
my @tables = ('bank.account', 'bank.journal');

sub writer
{
	return $maria->start_writer(
		sub {
			my $from   = 1 + int(rand(200));
			my $to     = 1 + int(rand(200));
			my $amount = int(rand(100));
			return "
START TRANSACTION;
UPDATE account SET balance = balance - $amount WHERE id = $from;
UPDATE account SET balance = balance + $amount WHERE id = $to;
INSERT INTO journal VALUES ($from, $amount);
COMMIT;
DO SLEEP(0.001)"
		},
		'bank');
}

my $primary = SyncCluster->new('primary');
$primary->init(
	allows_streaming => 1,
	has_archiving    => 1,
	extra            => [ '--encoding=UTF8', '--no-locale' ]);
$primary->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'mariadb_sync'
max_worker_processes = 32
timezone = 'UTC'
hot_standby = on
hot_standby_feedback = on
mariadb_sync.retry_min_delay = '100ms'
mariadb_sync.retry_max_delay = '500ms'});

# The primary is stopped while it archives: what has a segment's name is whole.
my $archive = $primary->archive_dir;
$primary->append_conf('postgresql.conf',
	qq{archive_command = 'cp "%p" "$archive/%f.part" && mv "$archive/%f.part" "$archive/%f"'}
);
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION mariadb_sync');
add_source($primary, $maria);
create_subscription($primary, 'sub', 'source', ['bank.*']);
wait_for_catchup($primary, 'sub');

# A copy that is half done, by chunks and the keys that delimit them
sub half_a_copy
{
	my ($node) = @_;

	create_subscription($node, 'half', 'source', ['large.*'],
		{ snapshot_chunk_rows => 2000, snapshot_max_rate => 30000 });
	$node->poll_query_until('postgres',
		q{SELECT count(*) > 3 FROM mariadb_sync.snapshot_chunk WHERE state = 'done'}
	) or die 'no chunk is done';
	$maria->sql('UPDATE half SET v = v + 1 WHERE id MOD 100 = 0', 'large');
	return;
}

# Progress of a node by so many transactions
sub goes_on
{
	my ($node, $by) = @_;
	my $position =
	  q{SELECT split_part(applied_gtid, '-', 3)::bigint FROM mariadb_sync.pg_stat_mariadb_sync WHERE subscription = 'sub'};
	my $now = $node->safe_psql('postgres', $position);

	$node->poll_query_until('postgres', "SELECT ($position) >= $now + $by")
	  or die $node->name . ' does not go on';
	return;
}

###########################################################################
# A physical standby
###########################################################################

my $writer = writer();
goes_on($primary, 50);
$primary->backup('base');
my $standby = SyncCluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
goes_on($primary, 100);
$primary->wait_for_catchup($standby);
is( $standby->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mariadb_sync apply%'}
	),
	'0',
	'no worker on a standby');
my $seen = $maria->gtid;
is( $standby->safe_psql(
		'postgres',
		"SELECT mariadb_sync.wait_for_gtid('sub', '$seen', '60 s')"),
	't',
	'wait_for_gtid on the standby');

# A moment to come back to, see below
$primary->safe_psql('postgres', q{SELECT pg_create_restore_point('earlier')});
goes_on($primary, 50);
my $segment =
  $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
$primary->poll_query_until('postgres',
	"SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver")
  or die 'nothing is archived';

$primary->stop('immediate');
$standby->promote;
goes_on($standby, 50);
$writer->stop;
wait_for_catchup($standby, 'sub');
compare_tables($maria, $standby, \@tables);
like(
	slurp_file($standby->logfile),
	qr/subscription "sub" streams from/,
	'the worker has started on the new primary by itself');

# It does the same again, so that the promotion is no special case.
$writer = writer();
goes_on($standby, 20);
$standby->restart;
goes_on($standby, 20);
$writer->stop;
wait_for_catchup($standby, 'sub');
compare_tables($maria, $standby, \@tables);

###########################################################################
# An earlier moment
###########################################################################

# Two servers with one server_id would throw each other out.
$standby->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($standby, 'sub', 'stopped');

my $restored = SyncCluster->new('restored');
$restored->init_from_backup(
	$primary, 'base',
	has_restoring => 1,
	standby       => 0);
$restored->append_conf(
	'postgresql.conf', q{
recovery_target_name = 'earlier'
recovery_target_action = 'promote'});
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
  or die 'recovery does not end';
wait_for_catchup($restored, 'sub');
compare_tables($maria, $restored, \@tables);
$restored->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($restored, 'sub', 'stopped');

###########################################################################
# Dump and restore
###########################################################################

my $copy = sync_node('copy', extension => 0);
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$restored->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_state($restored, 'sub', 'streaming');
$writer = writer();
goes_on($restored, 20);
half_a_copy($restored);
$restored->command_ok(
	[
		'pg_dump', '--no-sync', '-f', $dump, '-d',
		$restored->connstr('postgres')
	],
	'pg_dump while it streams');
goes_on($restored, 20);
$writer->stop;
$copy->command_ok(
	[
		'psql', '-Xq',
		'-v',   'ON_ERROR_STOP=1',
		'-f',   $dump,
		'-d',   $copy->connstr('postgres')
	],
	'restore');
$copy->restart;
is(view_value($copy, 'sub', 'state'),
	'stopped', 'a restored subscription does not start by itself');
is( $copy->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mariadb_sync apply%'}
	),
	'0',
	'and has no worker');
isnt(view_value($copy, 'sub', 'applied_gtid'),
	$maria->gtid, 'it is where the dump was made');
foreach my $name ('sub', 'half')
{
	$restored->safe_psql('postgres', qq{SELECT mariadb_sync.stop('$name')});
	wait_for_state($restored, $name, 'stopped');
	$copy->safe_psql('postgres', qq{SELECT mariadb_sync.start('$name')});
}
wait_for_catchup($copy, $_) foreach ('sub', 'half');
compare_tables($maria, $copy, [ @tables, 'large.half' ]);
$_->stop foreach ($standby, $restored, $copy);

###########################################################################
# pg_upgrade
###########################################################################

# To the version under test from an older one if there is one: see OLD_PG_CONFIG
# in test/with-install.
my $old_bindir = $ENV{OLD_PG_BINDIR} || $ENV{PG_BINDIR};

# What a subscription can have, with something in each of our tables
$maria->sql(
	q{
CREATE DATABASE rich;
USE rich;
CREATE TABLE counted (id int AUTO_INCREMENT PRIMARY KEY, e enum('a', 'b'), j json, n decimal(20, 5) DEFAULT 1.5, g decimal(21, 5) AS (n * 2) STORED, UNIQUE (e, id));
INSERT INTO counted (e, j) SELECT 'a', '{"x": 1}' FROM seq_1_to_100;
CREATE SEQUENCE numbers START 7 NOCACHE;
DO NEXTVAL(numbers);
CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts SELECT seq, seq FROM seq_1_to_20;
CREATE TABLE refused (id int PRIMARY KEY, v int);
});

# with checksums, which later versions have by default
my $older = do
{
	local $ENV{TEMP_CONFIG} = $ENV{OLD_TEMP_CONFIG} || $ENV{TEMP_CONFIG};
	my $node = SyncCluster->new('older',
		install_path => $old_bindir =~ s|/bin/?$||r);
	$node->init(extra => [ '--encoding=UTF8', '--no-locale', '-k' ]);
	$node->append_conf('postgresql.conf', "max_worker_processes = 32\n");
	$node->start;
	$node;
};
note $older->safe_psql('postgres', 'SELECT version()');
$older->safe_psql('postgres', 'CREATE EXTENSION mariadb_sync');
add_source($older, $maria);
create_subscription($older, 'bank', 'source', ['bank.*']);
create_subscription($older, 'rich', 'source', ['rich.*'],
	{ on_error => 'quarantine_row', enum_as => 'enum' });
create_subscription($older, 'idle', 'source', ['rich.parts'],
	{ schema_map => { rich => 'elsewhere' } });
wait_for_catchup($older, $_) foreach ('bank', 'rich', 'idle');

$older->safe_psql(
	'postgres', q{
SELECT mariadb_sync.stop('idle');
ALTER TABLE rich.refused ADD CONSTRAINT small CHECK (v < 100)});
wait_for_state($older, 'idle', 'stopped');
$maria->sql(
	q{
INSERT INTO refused VALUES (1, 1), (2, 200);
ALTER TABLE counted ADD COLUMN late varchar(10) DEFAULT 'late';
INSERT INTO counted (e) VALUES ('b');
XA START 'held'; INSERT INTO parts VALUES (30, 30), (31, 31); XA END 'held'; XA PREPARE 'held'},
	'rich');
wait_for_catchup($older, 'rich');

half_a_copy($older);
$writer = writer();
$older->poll_query_until('postgres',
	q{SELECT sum(transactions) > 50 FROM mariadb_sync.pg_stat_mariadb_sync}
) or die 'nothing is applied';
$older->stop;

# All that is in our tables; nothing of ours runs while it is looked at
$older->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$older->start;
my $state = q{
SELECT format('SELECT %L, %s::text FROM %s t ORDER BY 2;', c.oid::regclass,
	CASE relkind WHEN 'S' THEN 'last_value' ELSE 't' END, c.oid::regclass)
FROM pg_class c
WHERE relnamespace IN ('mariadb_sync'::regnamespace, 'rich'::regnamespace)
	AND relkind IN ('r', 'S') ORDER BY c.oid \gexec};
my $before = $older->safe_psql('postgres', $state);
my $chunks =
  q{SELECT chunk, copied_at FROM mariadb_sync.snapshot_chunk WHERE state = 'done' ORDER BY 1};
my $done = $older->safe_psql('postgres', $chunks);
$older->stop;
$older->append_conf('postgresql.conf',
	"shared_preload_libraries = 'mariadb_sync'\n");

my $newer = SyncCluster->new('newer');
$newer->init(extra => [ '--encoding=UTF8', '--no-locale', '-k' ]);
$newer->append_conf('postgresql.conf', 'max_worker_processes = 32');
my $dir = PostgreSQL::Test::Utils::tempdir_short();
chdir($dir) or die "could not change directory: $!";
command_ok(
	[
		'pg_upgrade', '--no-sync',
		'-b',         $old_bindir,
		'-B',         $ENV{PG_BINDIR},
		'-d',         $older->data_dir,
		'-D',         $newer->data_dir,
		'-p',         $older->port,
		'-P',         $newer->port,
		'-s',         $dir
	],
	'pg_upgrade');
$newer->start;
note $newer->safe_psql('postgres', 'SELECT version()');
is($newer->safe_psql('postgres', $state),
	$before, 'pg_upgrade: our tables are as they were');
is( $newer->safe_psql(
		'postgres',
		q{SELECT string_agg(DISTINCT state, ',') FROM mariadb_sync.pg_stat_mariadb_sync}
	),
	'stopped',
	'pg_upgrade: nothing starts by itself');

$newer->safe_psql('postgres', qq{SELECT mariadb_sync.start('$_')})
  foreach ('bank', 'rich', 'half');
$maria->sql(
	q{
XA COMMIT 'held';
INSERT INTO counted (e) VALUES ('b');
ALTER TABLE counted ADD COLUMN later int DEFAULT 3, MODIFY e enum('a', 'b', 'c');
INSERT INTO counted (e) VALUES ('c');
DO NEXTVAL(numbers)},
	'rich');
$writer->stop;
wait_for_catchup($newer, $_) foreach ('bank', 'rich', 'half');
compare_tables($maria, $newer,
	[ @tables, 'rich.counted', 'rich.parts', 'large.half' ]);
is( $newer->safe_psql(
		'postgres', q{
ALTER TABLE rich.refused DROP CONSTRAINT small;
SELECT * FROM mariadb_sync.retry_quarantine('rich')}),
	'1|0',
	'pg_upgrade: what was in quarantine is applied');
compare_tables($maria, $newer, ['rich.refused']);
is(view_value($newer, 'idle', 'state'),
	'stopped', 'pg_upgrade: what was stopped stays so');
my %still = map { $_ => 1 }
  split(/\n/, $newer->safe_psql('postgres', $chunks));
is_deeply([ grep { !$still{$_} } split(/\n/, $done) ],
	[], 'pg_upgrade: chunks are not copied again');
$newer->safe_psql('postgres', q{SELECT mariadb_sync.start('idle')});
wait_for_catchup($newer, 'idle');
$newer->stop;
$maria->stop;
done_testing();
