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
INSERT INTO account SELECT seq, 1000 FROM seq_1_to_200});
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

# Progress of a node by so many transactions
sub goes_on
{
	my ($node, $by) = @_;
	my $position =
	  q{SELECT split_part(gtid, '-', 3)::bigint FROM mariadb_sync.gtid_position};
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
my $before =
  $copy->safe_psql('postgres', 'SELECT gtid FROM mariadb_sync.gtid_position');
isnt($before, $maria->gtid, 'it is where the dump was made');
$restored->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($restored, 'sub', 'stopped');
$copy->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($copy, 'sub');
compare_tables($maria, $copy, \@tables);

###########################################################################
# pg_upgrade
###########################################################################

# To the same version: what is carried over is the same for all.  The source
# goes on meanwhile, and there is something to apply from the first moment on.
$writer = writer();
goes_on($copy, 20);
$copy->stop;
my $upgraded = SyncCluster->new('upgraded');
$upgraded->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$upgraded->append_conf('postgresql.conf', 'max_worker_processes = 32');
my $dir = PostgreSQL::Test::Utils::tempdir_short();
chdir($dir) or die "could not change directory: $!";
command_ok(
	[
		'pg_upgrade', '--no-sync',
		'-b',         $ENV{PG_BINDIR},
		'-B',         $ENV{PG_BINDIR},
		'-d',         $copy->data_dir,
		'-D',         $upgraded->data_dir,
		'-p',         $copy->port,
		'-P',         $upgraded->port,
		'-s',         $dir
	],
	'pg_upgrade');
$writer->stop;
$upgraded->start;
is(view_value($upgraded, 'sub', 'state'),
	'stopped', 'after pg_upgrade nothing starts by itself');
$upgraded->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($upgraded, 'sub');
compare_tables($maria, $upgraded, \@tables);

$_->stop foreach ($standby, $restored, $upgraded);
$maria->stop;
done_testing();
