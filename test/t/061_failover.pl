# The source fails and another MariaDB server takes over, by GTID: one with the
# same history goes on exactly where the old one was, any other is refused, and
# nothing of it is applied.  What cannot pass by itself is not tried again.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

# A chain: source -> good, source -> late
my %log_all = (log_slave_updates => 1);
my $source  = MariaDBServer->new('source', options => {%log_all});
my $good    = MariaDBServer->new('good',   options => {%log_all});
my $late    = MariaDBServer->new('late',   options => {%log_all});

sub follow
{
	my ($replica, $master) = @_;

	$replica->sql(
		sprintf(
			"STOP SLAVE; CHANGE MASTER TO master_host = '%s', master_port = %d, master_user = '%s', master_password = '%s', master_use_gtid = slave_pos; START SLAVE",
			$master->host, $master->port,
			$master->user, $master->password =~ s/'/''/gr));
	return;
}

sub replica_reaches
{
	my ($replica, $gtid) = @_;

	is($replica->value("SELECT MASTER_GTID_WAIT('$gtid', 60)"),
		'0', $replica->name . " has reached $gtid");
	return;
}

$source->sql(
	q{
CREATE DATABASE shop;
USE shop;
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE TABLE journal (what varchar(40));
INSERT INTO t SELECT seq, 0 FROM seq_1_to_100});
follow($_, $source)                foreach ($good, $late);
replica_reaches($_, $source->gtid) foreach ($good, $late);

my $node = sync_node(
	'replica',
	conf => q{
mariadb_sync.retry_min_delay = '50ms'
mariadb_sync.retry_max_delay = '200ms'
});
sub query { return $node->safe_psql('postgres', $_[0]); }

sub set_host
{
	my @hosts = map { '127.0.0.1:' . $_->port } @_;
	query("ALTER SERVER source OPTIONS (SET host '@{[join(',', @hosts)]}')");
	return;
}

my @tables = ('shop.t', 'shop.journal');
add_source($node, $source, 'source',
	{ host => join(', ', map { '127.0.0.1:' . $_->port } ($source, $good)) });
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');

foreach
  my $host ('', 'a,,b', 'a:', 'a:0', 'a:b', '[::1', '[::1]x', 'a,b:70000')
{
	my $stderr;
	$node->psql(
		'postgres',
		"ALTER SERVER source OPTIONS (SET host '$host')",
		stderr => \$stderr);
	like(
		$stderr,
		qr/ERROR:  (invalid value for )?option "host"/,
		"host '$host' is not one");
}

###########################################################################
# Several domains
###########################################################################

sub write_in_domains
{
	my ($maria, $text) = @_;

	$maria->sql(
		qq{
SET gtid_domain_id = 0; INSERT INTO journal VALUES ('$text, domain 0');
SET gtid_domain_id = 1; INSERT INTO journal VALUES ('$text, domain 1');
UPDATE t SET v = v + 1 WHERE id <= 50;
SET gtid_domain_id = 2; INSERT INTO journal VALUES ('$text, domain 2');
SET gtid_domain_id = 0; UPDATE t SET v = v + 1 WHERE id > 40}, 'shop');
	return;
}

# New domains appear while it streams, and while it does not
write_in_domains($source, 'streaming');
wait_for_catchup($node, 'sub');
query(q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
write_in_domains($source, 'stopped');
$source->sql(
	q{SET gtid_domain_id = 7; INSERT INTO journal VALUES ('another')},
	'shop');
query(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($source, $node, \@tables);
is( query(
		'SELECT cardinality(string_to_array(gtid, $$,$$)) FROM mariadb_sync.gtid_position'
	),
	'4',
	'every domain is in the position');

###########################################################################
# The next host takes over by itself
###########################################################################

replica_reaches($_, $source->gtid) foreach ($good, $late);
$late->sql('STOP SLAVE');
write_in_domains($source, 'late has not seen this');
my $last = $source->gtid;
replica_reaches($good, $last);
wait_for_catchup($node, 'sub');
$source->kill9;
$good->sql('STOP SLAVE; RESET SLAVE ALL');
write_in_domains($good, 'after the failover');
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);
like(
	slurp_file($node->logfile),
	qr/could not connect to MariaDB server "source" at 127.0.0.1:@{[$source->port]}; the next host of the server is tried/,
	'that is logged');

###########################################################################
# A server that is behind, and one that has gone its own way
###########################################################################

sub connections
{
	return ($_[0]->query_rows(q{SHOW GLOBAL STATUS LIKE 'Connections'}))[0]
	  ->[1];
}

# It fails, for this reason; nothing is applied and nothing is tried again.
sub is_refused
{
	my ($maria, $what, $message, $hint) = @_;
	my $before = query('SELECT count(*), sum(hashtext(t::text)) FROM shop.t');
	my $position = query('SELECT gtid FROM mariadb_sync.gtid_position');

	wait_for_state($node, 'sub', 'error');
	my $error = view_value($node, 'sub', 'last_error');
	like($error, $message,        "$what: the error");
	like($error, qr/HINT: $hint/, "$what: the hint");
	my $connections = connections($maria);
	sleep 1;
	is(connections($maria), $connections + 1, "$what: nobody comes back");
	is(view_value($node, 'sub', 'state'), 'error', "$what: it waits");
	is(query('SELECT count(*), sum(hashtext(t::text)) FROM shop.t'),
		$before, "$what: nothing is applied");
	is(query('SELECT gtid FROM mariadb_sync.gtid_position'),
		$position, "$what: the position is the same");
	return;
}

set_host($late);
is_refused(
	$late,
	'a lagging server',
	qr/error 1236.*which is not in the master's binlog/,
	'This server has not got all that is applied here: it lags');
follow($late, $good);
replica_reaches($late, $good->gtid);
query(q{SELECT mariadb_sync.start('sub')});
wait_for_state($node, 'sub', 'streaming');
write_in_domains($good, 'by way of the other one');
replica_reaches($late, $good->gtid);
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);
pass('once it has caught up, it is as good as any');

# It loses what the former source had, and goes on with its own.
$late->sql('STOP SLAVE');
set_host($good);
write_in_domains($good, 'lost');
wait_for_catchup($node, 'sub');
$late->sql('RESET SLAVE ALL');
write_in_domains($late, 'of its own') foreach (1 .. 5);
set_host($late);
is_refused(
	$late,
	'a diverged server',
	qr/error 1236.*diverged/,
	'This server has transactions that the subscription\'s source did not have'
);

# Back to the right one.
set_host($good);
query(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);

###########################################################################
# A domain is removed; binary logs are purged
###########################################################################

query(q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
$good->sql('FLUSH BINARY LOGS');
my ($newest) = ($good->query_rows('SHOW BINARY LOGS'))[-1]->[0];
wait_until(
	'the binary logs to be purged',
	sub {
		$good->sql("PURGE BINARY LOGS TO '$newest'");
		my @left = $good->query_rows('SHOW BINARY LOGS');
		return $left[0][0] eq $newest;
	});
$good->sql('FLUSH BINARY LOGS DELETE_DOMAIN_ID = (7)');
write_in_domains($good, 'after the domain is gone');
query(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);

query(q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
write_in_domains($good, 'this will be purged');
$good->sql('FLUSH BINARY LOGS');
($newest) = ($good->query_rows('SHOW BINARY LOGS'))[-1]->[0];
wait_until(
	'the binary logs to be purged',
	sub {
		$good->sql("PURGE BINARY LOGS TO '$newest'");
		my @left = $good->query_rows('SHOW BINARY LOGS');
		return $left[0][0] eq $newest;
	});
query(q{SELECT mariadb_sync.start('sub')});
is_refused(
	$good,
	'purged binary logs',
	qr/error 1236.*Could not find GTID state requested/,
	'The binary logs from the subscription\'s GTID position on were purged');
query(
	q{
SELECT mariadb_sync.drop_subscription('sub');
DROP SCHEMA shop CASCADE});
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);

###########################################################################
# A wrong password, and a replica with our number
###########################################################################

$good->sql(
	q{SET sql_log_bin = 0; ALTER USER repl IDENTIFIED BY 'another one'; KILL USER repl}
);
is_refused($good, 'a wrong password',
	qr/error 1045/,
	'Check options "username" and "password" of the user mapping');
query(
	q{ALTER USER MAPPING FOR CURRENT_USER SERVER source OPTIONS (SET password 'another one')}
);
query(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');

my $binlog = MariaDBServer->find_program('mariadb-binlog', 'mysqlbinlog');
SKIP:
{
	skip 'no mariadb-binlog', 6 unless $binlog;

	my $id   = query('SELECT server_id FROM mariadb_sync.subscription');
	my $dump = '';
	my $twin = IPC::Run::start(
		[
			$binlog,                            '--no-defaults',
			'--read-from-remote-server',        '--stop-never',
			"--stop-never-slave-server-id=$id", '--host=127.0.0.1',
			'--port=' . $good->port,            '--user=repl',
			'--password=another one',           $newest
		],
		'>',
		'/dev/null',
		'2>',
		\$dump);
	is_refused($good, 'a replica with the same server_id',
		qr/error 4052/, "Another replica uses the subscription's server_id");
	$twin->kill_kill;
}
query(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');

# The user mapping is dropped under the worker
query('DROP USER MAPPING FOR CURRENT_USER SERVER source');
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/no user mapping of server "source".*NEXT: .*mariadb_sync.start\('sub'\)/s,
	'a user mapping that is dropped is missed');
query(
	q{CREATE USER MAPPING FOR CURRENT_USER SERVER source OPTIONS (username 'repl', password 'another one')}
);
query(q{SELECT mariadb_sync.start('sub')});
write_in_domains($good, 'with a mapping again');
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);

# The owner is dropped under the worker, who had got the subscription
my $owner = query('SELECT current_user');
query(
	q{
CREATE ROLE brief SUPERUSER;
CREATE USER MAPPING FOR brief SERVER source OPTIONS (username 'repl', password 'another one');
UPDATE mariadb_sync.subscription SET owner = 'brief'});
write_in_domains($good, 'for another owner');
wait_for_catchup($node, 'sub');
query('DROP OWNED BY brief; DROP ROLE brief');
write_in_domains($good, 'for nobody');
foreach my $attempt ('running', 'started')
{
	wait_for_state($node, 'sub', 'error');
	like(
		view_value($node, 'sub', 'last_error'),
		qr/the role that owns the subscription was dropped.*HINT: .*SET owner = /s,
		"an owner who is dropped is missed: $attempt");
	query(q{SELECT mariadb_sync.start('sub')}) if $attempt eq 'running';
}
query(
	qq{
UPDATE mariadb_sync.subscription SET owner = '$owner';
SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($good, $node, \@tables);

# The server is dropped under the worker
query('DROP SERVER source CASCADE');
$node->poll_query_until('postgres',
	q{SELECT last_error ~ 'server "source" of subscription "sub" does not exist' FROM mariadb_sync.pg_stat_mariadb_sync WHERE state = 'error'}
) or die 'nobody says that the server is gone';
pass('a server that is dropped is missed');

$node->stop;
$_->stop foreach ($good, $late);
done_testing();
