# What can go wrong, is told: with an SQLSTATE, what happened, and what to do,
# to the user who asks for it when it can be seen then, otherwise in the views
# and the server's log with the GTID.  Once the cause is gone, start() goes on.

use strict;
use warnings;

use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source', options => { sync_binlog => 1 });

# Every message in the log comes with its SQLSTATE.  Debugging messages, so
# that no secret hides behind their level.
my $node = sync_node(
	'replica',
	databases => ['second'],
	conf      => q{
log_error_verbosity = verbose
log_min_messages = debug1
mariadb_sync.retry_min_delay = '100ms'
});
add_source($node, $maria);

# A second source, which takes other options
my $no_binlog = MariaDBServer->new(
	'nobinlog',
	options =>
	  { log_bin => undef, binlog_format => undef, gtid_strict_mode => undef },
	extra => ['--skip-log-bin']);
add_source($node, $no_binlog);

my @passwords = ($maria->password, 'secret no 2', 'leaked to no log');

###########################################################################
# What is told at once
###########################################################################

# A statement fails, with SQLSTATE, message, detail and hint.  undef is for
# what need not be there.
sub fails_with
{
	my ($what, $sql, $sqlstate, $message, $detail, $hint) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $stderr = '';

	$node->psql(
		'postgres', $sql,
		stderr       => \$stderr,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($error) = $stderr =~ /^psql:\S+ (ERROR:  .*)/ms;
	$error = '' unless defined $error;
	like($error, qr/\AERROR:  $sqlstate: /,    "$what: SQLSTATE");
	like($error, qr/\A[^\n]*$message/,         "$what: message");
	like($error, qr/^DETAIL:  [^\n]*$detail/m, "$what: detail")
	  if defined $detail;
	like($error, qr/^HINT:  [^\n]*$hint/m, "$what: hint")
	  if defined $hint;
	return;
}

sub creation
{
	my ($patterns, $options, $server) = @_;
	my $json = JSON::PP->new->canonical->encode($options || {});

	return sprintf(
		q{SELECT mariadb_sync.create_subscription('failing', '%s', '%s', '%s')},
		$server || 'source',
		$patterns, $json =~ s/'/''/gr);
}

$maria->sql(
	q{
CREATE DATABASE shop;
CREATE TABLE shop.t (id int PRIMARY KEY, v int, s varchar(20));
INSERT INTO shop.t VALUES (1, 1, 'one');
CREATE TABLE shop.long_values (id int PRIMARY KEY, s varchar(300));
CREATE TABLE shop.hidden (id int PRIMARY KEY);
CREATE DATABASE other;
CREATE TABLE other.t (id int PRIMARY KEY);
});

fails_with(
	'an unknown subscription option',
	creation('{shop.t}', { on_conflit => 'skip' }),
	'22023',
	'unrecognized subscription option "on_conflit"',
	'Valid options are: enabled, .*json_as',
	'Perhaps you meant the option "on_conflict"');
fails_with(
	'an unknown server option',
	q{ALTER SERVER source OPTIONS (ADD prot '1')},
	'HV00D',
	'invalid option "prot"',
	undef,
	'Perhaps you meant the option "port". Valid options .* are: .*host');
fails_with(
	'a bad pattern',
	creation('{shop}'),
	'22023',
	'invalid table pattern "shop"',
	'A pattern is a database and a table with a dot between them',
	'Examples: "shop\.\*"');
fails_with(
	'a pattern that only excludes',
	creation('{!shop.t}'), '22023', 'no table pattern chooses anything',
	undef, 'database\.table');
fails_with(
	'patterns that no table matches',
	creation('{shop.nothing,nowhere.*}'),
	'42P01',
	'no table of server "source" matches the patterns',
	'tables on which the account has no privilege are not seen',
	'check_source');
# Connections
sub set_server
{
	my ($server, $changes) = @_;
	$node->safe_psql('postgres', "ALTER SERVER $server OPTIONS ($changes)");
	return;
}
set_server('source',
	'SET port \'' . PostgreSQL::Test::Cluster::get_free_port() . '\'');
fails_with(
	'an unreachable host',
	creation('{shop.t}'),
	'08001',
	'could not connect to MariaDB server "source" at 127.0.0.1:',
	'MariaDB error 200\d',
	'reachable, and options "host" and "port"');
is( $node->safe_psql(
		'postgres', q{
SELECT check_name, message ~ 'could not connect', hint ~ 'host'
FROM mariadb_sync.check_source('source') WHERE severity = 'error'}),
	'connection|t|t',
	'check_source tells of an unreachable host');

set_server('source', "SET port '@{[$maria->port]}', ADD connect_timeout '1'");
$maria->freeze;
fails_with(
	'a host that does not answer',
	creation('{shop.t}'),
	'08001',
	'could not connect to MariaDB server "source"',
	'Nothing was received for 1 seconds',
	'reachable.*"connect_timeout"');
$maria->thaw;
set_server('source', 'DROP connect_timeout');

sub set_user
{
	my ($user, $password) = @_;
	$node->safe_psql(
		'postgres', qq{
ALTER USER MAPPING FOR CURRENT_USER SERVER source
	OPTIONS (SET username '$user', SET password '@{[$password =~ s/'/''/gr]}')}
	);
	return;
}
set_user('repl', $passwords[2]);
fails_with(
	'a wrong password',
	creation('{shop.t}'),
	'28000',
	'could not connect to MariaDB server "source"',
	q{MariaDB error 1045 \(28000\): Access denied for user 'repl'},
	'options "username" and "password" of the user mapping');

# Privileges
$maria->sql(
	qq{
CREATE USER limited IDENTIFIED BY '$passwords[1]';
GRANT SELECT ON shop.t TO limited;
GRANT INSERT ON shop.hidden TO limited;
GRANT SELECT (id) ON other.t TO limited});
set_user('limited', $passwords[1]);
fails_with(
	'an account without REPLICATION SLAVE',
	creation('{shop.t}'),
	'42501',
	'`limited`@`%` may not read the source\'s binary log',
	'It lacks the privilege REPLICATION SLAVE',
	'Run on the source: GRANT REPLICATION SLAVE ON \*\.\* TO `limited`@`%`;');
$maria->sql('GRANT REPLICATION SLAVE ON *.* TO limited');
foreach my $table ('shop.hidden', 'other.t')
{
	my ($db, $name) = split(/\./, $table);

	fails_with(
		"an account that may not read $table",
		creation("{$table}"),
		'42501',
		'tables that `limited`@`%` may not read: 1',
		"The privilege SELECT is missing.*: $table",
		"Run on the source: GRANT SELECT.* ON `$db`.`$name` TO `limited`\@`%`"
	);
}
set_user($maria->user, $maria->password);

# Settings of the source
fails_with(
	'a source without a binary log',
	creation('{mysql.*,x.*}', {}, 'nobinlog'),
	'55000',
	'the source does not write a binary log',
	'log_bin is OFF',
	'Add "log_bin"');
foreach my $setting (
	[ 'binlog_format',    'STATEMENT', 'ROW' ],
	[ 'binlog_format',    'MIXED',     'ROW' ],
	[ 'binlog_row_image', 'MINIMAL',   'FULL' ],
	[ 'binlog_row_image', 'NOBLOB',    'FULL' ])
{
	my ($name, $bad, $good) = @$setting;

	$maria->sql("SET GLOBAL $name = $bad");
	fails_with("$name = $bad", creation('{shop.t}'),
		'55000', "$name is $bad, must be $good",
		'.',     "Run on the source: SET GLOBAL $name = $good;");
	$maria->sql("SET GLOBAL $name = $good");
}
set_server('source', "ADD server_id '@{[$maria->server_id]}'");
fails_with(
	'the server_id of the source',
	creation('{shop.t}'),
	'42710',
	'option "server_id" of server "source" is the source\'s own',
	'Every replica needs a server_id of its own',
	'ALTER SERVER source OPTIONS \(DROP server_id\)');
set_server('source', 'DROP server_id');

# Targets that are there
my %targets = (
	'a target of a narrower type' => [
		'shop.t',
		'TABLE shop.t (id int PRIMARY KEY, v smallint, s varchar(20))',
		'42804',
		'column "v" of type int\(11\) does not fit into type smallint',
		'A value could be changed or lost',
		'Make the target column integer'
	],
	'a target of a shorter type' => [
		'shop.t',
		'TABLE shop.t (id int PRIMARY KEY, v int, s varchar(19))',
		'42804',
		'column "s" of type varchar\(20\) does not fit',
		'A value could be changed or lost',
		'Make the target column character varying\(20\)'
	],
	'a target without a column' => [
		'shop.t',
		'TABLE shop.t (id int PRIMARY KEY, v int)',
		'42703',
		'target table "t" has no column "s"',
		'Column "s" of source table "shop\.t" goes there, of type varchar\(20\)',
		'ALTER TABLE shop\.t ADD COLUMN s character varying\(20\)'
	],
	'a target that is not empty' => [
		'shop.t',
		'TABLE shop.t AS SELECT 7 AS id, 7 AS v, varchar(20) \'seven\' AS s',
		'55000',
		'target table shop\.t is not empty',
		'would add to the rows',
		'TRUNCATE shop\.t.*copy_data'
	],
	'a target that computes a column' => [
		'shop.t',
		'TABLE shop.t (id int PRIMARY KEY, v int GENERATED ALWAYS AS (id) STORED, s text)',
		'42P10',
		'column "v" of target table "t" is a generated column',
		'could not be stored',
		'DROP EXPRESSION'
	],
	'a target with a column that must be filled' => [
		'shop.t',
		'TABLE shop.t (id int PRIMARY KEY, v int, s text, more int NOT NULL)',
		'23502',
		'column "more" of target table "t" needs a value',
		undef,
		'Give the column a default or drop its NOT NULL'
	],
	'a target that is a view' => [
		'shop.t',
		'VIEW shop.t AS SELECT 1 AS id, 1 AS v, text \'\' AS s',
		'42809',
		'cannot replicate into "t"',
		'It is not a table',
		'schema_map'
	]);
foreach my $what (sort keys %targets)
{
	my ($pattern, $definition, @expected) = @{ $targets{$what} };

	$node->safe_psql('postgres', "CREATE SCHEMA shop; CREATE $definition");
	fails_with($what, creation("{$pattern}"), @expected);
	$node->safe_psql('postgres',
		'SET client_min_messages = warning; DROP SCHEMA shop CASCADE');
}
fails_with(
	'a target that is missing',
	creation('{shop.t}', { create_tables => JSON::PP::false }),
	'42P01',
	'target table shop\.t does not exist',
	'"create_tables" is false',
	'Create the table, or leave "create_tables" at true');
is( $node->safe_psql(
		'postgres', q{
SELECT (SELECT count(*) FROM mariadb_sync.subscription),
	(SELECT count(*) FROM mariadb_sync.subscription_table),
	(SELECT count(*) FROM mariadb_sync._live()),
	(SELECT count(*) FROM pg_replication_origin),
	to_regnamespace('shop') IS NULL}),
	'0|0|0|0|t',
	'a subscription that cannot be created leaves nothing behind');

###########################################################################
# What happens while a subscription runs
###########################################################################

my $log_position;

# A database of the case's name with a table, and a subscription to it.
sub begin_case
{
	my ($db, $options) = @_;

	note("case $db");
	$maria->sql(
		qq{
CREATE DATABASE $db;
USE $db;
CREATE TABLE t (
	id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
	v int DEFAULT 5,
	s varchar(40));
INSERT INTO t SELECT seq, seq, CONCAT('row ', seq) FROM seq_1_to_5});
	create_subscription($node, $db, 'source', ["$db.*"], $options);
	wait_for_catchup($node, $db);
	$log_position = -s $node->logfile;
	return;
}

sub do_with
{
	my ($function, $db) = @_;
	$node->safe_psql('postgres', "SELECT mariadb_sync.$function('$db')");
	return;
}

sub end_case
{
	my ($db) = @_;
	do_with('drop_subscription', $db);
	$maria->sql("DROP DATABASE $db");
	return;
}

# The subscription has failed, with these words where people look for them.
sub has_failed
{
	my ($db, %expected) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $state = $expected{state} || 'error';

	wait_for_state($node, $db, $state)
	  if $state eq 'error';
	wait_for_view($node, $db, "last_error ~ '\\mDETAIL|HINT\\M'", 't');
	my $error = view_value($node, $db, 'last_error');
	like($error, qr/\A[^\n]*$expected{message}/,    "$db: message");
	like($error, qr/^DETAIL: .*$expected{detail}/m, "$db: detail")
	  if $expected{detail};
	like($error, qr/^HINT: .*$expected{hint}/m,        "$db: hint");
	like($error, qr/^CONTEXT: .*$expected{context}/ms, "$db: context")
	  if $expected{context};
	is(view_value($node, $db, 'last_error_gtid'),
		$expected{gtid}, "$db: GTID")
	  if exists $expected{gtid};
	isnt(view_value($node, $db, 'last_error_time'), '', "$db: time");

	my $log = slurp_file($node->logfile, $log_position);
	ok($log =~ /ERROR:  $expected{sqlstate}: [^\n]*$expected{message}/,
		"$db: server log has it with its SQLSTATE")
	  or diag(join("\n", $log =~ /(ERROR:.*)/g));
	ok($log =~ /HINT:  [^\n]*$expected{hint}/, "$db: and the hint")
	  or diag(join("\n", $log =~ /(HINT:.*)/g));
	return if $state ne 'error';

	is(view_value($node, $db, 'pid IS NULL'), 't', "$db: no worker is left");
	is( $node->safe_psql(
			'postgres', qq{
SELECT h ->> 'status', h ->> 'error' = v.last_error
FROM mariadb_sync.health('$db') h, mariadb_sync.pg_stat_mariadb_sync v
WHERE v.subscription = '$db'}),
		'error|t',
		"$db: health");
	is( $node->safe_psql(
			'postgres', qq{
SELECT kind, result = v.last_error FROM mariadb_sync.history
	JOIN mariadb_sync.subscription s USING (subid)
	JOIN mariadb_sync.pg_stat_mariadb_sync v ON v.subscription = s.name
WHERE s.name = '$db' ORDER BY id DESC LIMIT 1}),
		'error|t',
		"$db: history");
	my ($stdout, $stderr);
	$node->psql(
		'postgres',
		"SELECT mariadb_sync.wait_for_catchup('$db', '60 s')",
		stderr => \$stderr);
	like(
		$stderr,
		qr/subscription "$db" has failed\n.*$expected{message}/,
		"$db: who waits is told");
	return;
}

# Goes on, and ends with the source's rows.
sub goes_on
{
	my ($db, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	do_with('start', $db);
	wait_for_catchup($node, $db);
	compare_tables($maria, $node,
		[ map { "$db.$_" } @tables ? @tables : 't' ]);
	return;
}

# When what stands in the binary log cannot be applied, all begins anew.
sub begins_anew
{
	my ($db, $options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	# start() alone does not help
	my $gtid = view_value($node, $db, 'last_error_gtid');
	do_with('start', $db);
	wait_for_view($node, $db,
		'apply_error_count > 1 AND state = \'error\'', 't');
	is(view_value($node, $db, 'last_error_gtid'),
		$gtid, "$db: the same again after start()");

	do_with('drop_subscription', $db);
	$node->safe_psql('postgres', "TRUNCATE $db.t");
	create_subscription($node, $db, 'source', ["$db.*"], $options);
	wait_for_catchup($node, $db);
	compare_tables($maria, $node, ["$db.t"]);
	return;
}

# Row images
begin_case('row_image');
$maria->sql(
	q{
SET SESSION binlog_row_image = MINIMAL;
UPDATE t SET v = 10 WHERE id = 1;
DELETE FROM t WHERE id = 2;
INSERT INTO t VALUES (6, 6, 'all columns');
INSERT INTO t (id) VALUES (7)}, 'row_image');
has_failed(
	'row_image',
	sqlstate => '0A000',
	message  => 'row image of source table "row_image.t" at GTID '
	  . $maria->gtid
	  . ' is not complete',
	detail => 'An INSERT left columns out',
	hint   => 'binlog_row_image = FULL on the source, for all sessions',
	gtid   => $maria->gtid,
	state  => 'streaming');
$node->poll_query_until(
	'postgres', q{
SELECT state = 'disabled' FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table = 'row_image.t'}
) or die 'the table is not disabled';
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM row_image.t}
	),
	'1 10, 3 3, 4 4, 5 5, 6 6',
	'row_image: what came before is applied');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.resync_table('row_image', 'row_image.t')});
wait_for_catchup($node, 'row_image');
compare_tables($maria, $node, ['row_image.t']);
end_case('row_image');

# Statements
my %statements = (
	'INSERT INTO t (id, v) VALUES (100, 1)' => 'INSERT',
	'INSERT INTO t (v) VALUES (1), (2)'     => 'INSERT',
	'UPDATE t SET v = RAND() * 1000'        => 'UPDATE',
	"SET \@x = 'x'; UPDATE t SET s = \@x"   => 'UPDATE',
	'DELETE FROM t WHERE v > 2'             => 'DELETE',
	"REPLACE INTO t VALUES (1, 2, 'x')"     => 'REPLACE');
my $case = 0;
foreach my $sql (sort keys %statements)
{
	my $db   = 'statement_' . ++$case;
	my $verb = $statements{$sql};

	begin_case($db);
	$maria->sql("SET SESSION binlog_format = STATEMENT; $sql", $db);
	has_failed(
		$db,
		sqlstate => '0A000',
		message  =>
		  "statement-format $verb of source table \"$db.t\" at GTID @{[$maria->gtid]}",
		hint =>
		  'binlog_format = ROW on the source, for all sessions.*skip_transaction\(\).*verify\(\)',
		gtid => $maria->gtid);
	begins_anew($db) if $case == 1;
	if ($case == 2)
	{
		$node->safe_psql('postgres',
			"SELECT mariadb_sync.skip_transaction('$db', '@{[$maria->gtid]}')");
		wait_for_catchup($node, $db);
		$node->safe_psql('postgres',
			"SELECT * FROM mariadb_sync.verify('$db', repair => true)");
		compare_tables($maria, $node, ["$db.t"]);
	}
	end_case($db);
}

# Structure changes.  Those that do not concern the columns can be passed.
my %ddl = (
	ddl_alter    => [ 'ALTER TABLE',   q{ALTER TABLE t COMMENT 'new'} ],
	ddl_index    => [ 'CREATE INDEX',  'CREATE INDEX i ON t (v)' ],
	ddl_drop     => [ 'DROP TABLE',    'DROP TABLE t' ],
	ddl_rename   => [ 'RENAME TABLE',  'RENAME TABLE t TO t_old' ],
	ddl_database => [ 'DROP DATABASE', 'DROP DATABASE ddl_database' ]);
foreach my $db (sort keys %ddl)
{
	my ($verb, $sql) = @{ $ddl{$db} };

	begin_case($db, { ddl => 'stop' });
	$maria->sql("INSERT INTO t VALUES (6, 6, 'before')", $db);
	$maria->sql($sql,                                    $db);
	has_failed(
		$db,
		sqlstate => '0A000',
		message  =>
		  "$verb of source table \"$db.t\" at GTID @{[$maria->gtid]}",
		hint => 'Set option "ddl" to apply, or to ignore',
		gtid => $maria->gtid);
	is($node->safe_psql('postgres', "SELECT count(*) FROM $db.t"),
		'6', "$db: what came before is applied");
	$node->safe_psql('postgres',
		qq{SELECT mariadb_sync.alter_subscription('$db', '{"ddl": "ignore"}')}
	);
	if ($sql =~ /^(ALTER|CREATE)/)
	{
		$maria->sql('UPDATE t SET v = v + 1', $db);
		goes_on($db);
	}
	else
	{
		do_with('start', $db);
		wait_for_catchup($node, $db);
		is($node->safe_psql('postgres', "SELECT count(*) FROM $db.t"),
			'6', "$db: the target stays");
	}
	like(
		$node->safe_psql(
			'postgres', qq{
SELECT replace(original, '`', ''), result FROM mariadb_sync.history h
	JOIN mariadb_sync.subscription s USING (subid)
WHERE s.name = '$db' AND kind = 'ddl'}),
		qr/^\Q$sql\E.*\|ignored$/,
		"$db: history tells what was passed");
	$maria->sql("CREATE DATABASE $db") if $db eq 'ddl_database';
	end_case($db);
}

# ... and those that do are noticed when rows come
begin_case('structure', { ddl => 'ignore' });
$maria->sql(
	q{
INSERT INTO t VALUES (6, 6, 'before');
ALTER TABLE t CONNECTION = 'mysql://u:topsecret@127.0.0.1/d/t';
ALTER TABLE t ADD COLUMN more int FIRST;
INSERT INTO t VALUES (7, 7, 7, 'after')}, 'structure');
has_failed(
	'structure',
	sqlstate => '42804',
	message  =>
	  'structure of source table "structure.t" is not the recorded one',
	detail => '\S',
	hint   => 'resync_table\(\)',
	gtid   => $maria->gtid);
is($node->safe_psql('postgres', 'SELECT count(*) FROM structure.t'),
	'6', 'structure: what came before is applied');
is( $node->safe_psql(
		'postgres', q{
SELECT original FROM mariadb_sync.history WHERE kind = 'ddl' AND original LIKE '%CONNECTION%'}
	),
	q{ALTER TABLE t CONNECTION = '***'},
	'structure: no password in the history');
end_case('structure');

# The account
begin_case('account');

sub kill_replica
{
	my ($user) = @_;
	my @ids =
	  map { $_->[0] }
	  $maria->query_rows(
		"SELECT id FROM information_schema.processlist WHERE user = '$user'");

	# one may end because the other has
	$maria->try_sql("KILL $_") foreach @ids;
	return scalar @ids;
}
$maria->sql("ALTER USER repl IDENTIFIED BY '$passwords[1]'");
is(kill_replica('repl'), 2, 'account: two connections');
has_failed(
	'account',
	sqlstate => '28000',
	message  => 'could not connect to MariaDB server "source"',
	detail   => 'MariaDB error 1045',
	hint     => 'options "username" and "password"');
$maria->sql(q{INSERT INTO t VALUES (6, 6, 'meanwhile')}, 'account');
set_user('repl', $passwords[1]);
goes_on('account');

$maria->sql('REVOKE REPLICATION SLAVE ON *.* FROM repl');
kill_replica('repl');
has_failed(
	'account',
	sqlstate => '42501',
	message  => 'a query on MariaDB server "source" at .* failed',
	detail   => 'MariaDB error 1045',
	hint     => 'check_source\(\) to see which privileges are missing');
is( $node->safe_psql(
		'postgres', q{
SELECT check_name FROM mariadb_sync.check_source('source') WHERE severity = 'error' ORDER BY 1}
	),
	'privilege_replication',
	'account: which check_source does');
$maria->sql('GRANT REPLICATION SLAVE ON *.* TO repl');
$maria->sql('UPDATE t SET v = -v', 'account');
goes_on('account');
$maria->sql("SET PASSWORD FOR limited = PASSWORD('$passwords[2]')");
end_case('account');
$maria->sql('ALTER USER repl IDENTIFIED BY \''
	  . ($maria->password =~ s/'/''/gr)
	  . "'");
set_user('repl', $maria->password);

# Tables that may no longer be read when it is their turn to be copied
$maria->sql(
	q{
CREATE DATABASE unreadable;
CREATE TABLE unreadable.t (id int PRIMARY KEY, v int);
INSERT INTO unreadable.t VALUES (1, 1)});
create_subscription($node, 'unreadable', 'source', ['unreadable.*'],
	{ enabled => JSON::PP::false });
$maria->sql(q{REVOKE SELECT ON *.* FROM repl});
$log_position = -s $node->logfile;
do_with('start', 'unreadable');
has_failed(
	'unreadable',
	sqlstate => '42501',
	message  => 'copy of source table "unreadable.t" failed',
	detail   => 'MariaDB server "source".* failed',
	hint     => '(Grant SELECT|GRANT SELECT)');
is(view_value($node, 'unreadable', 'sync_error_count'),
	'1', 'unreadable: counted');
isnt(
	$node->safe_psql(
		'postgres', q{
SELECT last_error FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table = 'unreadable.t'}),
	'',
	'unreadable: the table has the error, too');
$maria->sql('GRANT SELECT ON *.* TO repl');
goes_on('unreadable');
end_case('unreadable');

# The source's binary log
begin_case('purged');
do_with('stop', 'purged');
wait_for_state($node, 'purged', 'stopped');
$maria->sql(q{INSERT INTO t VALUES (6, 6, 'lost')}, 'purged');
$maria->sql('FLUSH BINARY LOGS');
my $last = $maria->value('SHOW MASTER STATUS');

# A connection that is gone holds its file until its next heartbeat
wait_until(
	'the binary logs to go',
	sub {
		$maria->sql("PURGE BINARY LOGS TO '$last'");
		return $maria->value('SHOW BINARY LOGS') eq $last;
	});
do_with('start', 'purged');
has_failed(
	'purged',
	sqlstate => '55000',
	message  => 'the binlog stream of MariaDB server "source" at .* failed',
	detail   => 'MariaDB error 1236 .*GTID',
	hint     => 'were purged on the source.*create it again');
do_with('drop_subscription', 'purged');
$node->safe_psql('postgres', 'TRUNCATE purged.t');
create_subscription($node, 'purged', 'source', ['purged.*']);
wait_for_catchup($node, 'purged');
compare_tables($maria, $node, ['purged.t']);

$maria->sql('SET GLOBAL binlog_format = MIXED');
$log_position = -s $node->logfile;
kill_replica('repl');
has_failed(
	'purged',
	sqlstate => '55000',
	message  => 'binlog_format of the source is MIXED',
	hint     => q{SET GLOBAL binlog_format = 'ROW'});
$maria->sql('SET GLOBAL binlog_format = ROW');
$maria->sql('UPDATE t SET v = v * 2', 'purged');
goes_on('purged');

# A source that is away comes back by itself
$log_position = -s $node->logfile;
$maria->stop;
has_failed(
	'purged',
	state    => 'retrying',
	sqlstate => '08001',
	message  => 'could not connect to MariaDB server "source"',
	detail   => 'MariaDB error 200\d',
	hint     => 'reachable');
$maria->start;
$maria->sql('UPDATE t SET v = v * 2', 'purged');
wait_for_catchup($node, 'purged');
compare_tables($maria, $node, ['purged.t']);
end_case('purged');

# Two replicas with one server_id
set_server('source', "ADD server_id '777'");
begin_case('same_id');
fails_with(
	'a server_id that another subscription has',
	creation('{shop.t}'),
	'42710',
	'server_id 777 is used by another subscription',
	'Every replica needs a server_id of its own',
	'ALTER SERVER source OPTIONS \(DROP server_id\)');
add_source($node, $maria, 'source', { server_id => 777 }, 'second');
create_subscription($node, 'same_id', 'source', ['same_id.*'], {}, 'second');
has_failed(
	'same_id',
	sqlstate => '55006',
	message  => 'the binlog stream of MariaDB server "source" at .* failed',
	detail   => 'MariaDB error 4052',
	hint     => 'Another replica uses the subscription\'s server_id');
wait_for_catchup($node, 'same_id', undef, 'second');
$maria->sql('UPDATE t SET v = v + 1', 'same_id');
wait_for_catchup($node, 'same_id', undef, 'second');
is(view_value($node, 'same_id', 'state, reconnects', 'second'),
	'streaming|0', 'same_id: the two do not throw each other out');
$node->safe_psql('second',
	q{SELECT mariadb_sync.drop_subscription('same_id')});
goes_on('same_id');
end_case('same_id');
set_server('source', 'DROP server_id');

# Rows of the target that are not what they should be.  Transactions before
# the one that fails are kept, even if they came together.
begin_case('missing');
do_with('stop', 'missing');
wait_for_state($node, 'missing', 'stopped');
$node->safe_psql('postgres', 'DELETE FROM missing.t WHERE id IN (3, 4)');
$maria->sql(
	q{
UPDATE t SET v = 100 WHERE id = 1;
INSERT INTO t VALUES (6, 6, 'six')}, 'missing');
my $good = $maria->gtid;
$maria->sql(
	q{
START TRANSACTION;
UPDATE t SET v = 200 WHERE id = 2;
UPDATE t SET v = 300 WHERE id = 3;
COMMIT}, 'missing');
my $bad = $maria->gtid;
$maria->sql(
	q{
DELETE FROM t WHERE id = 4;
INSERT INTO t VALUES (7, 7, 'seven')}, 'missing');
do_with('start', 'missing');
has_failed(
	'missing',
	sqlstate => 'P0002',
	message  => 'row to update was not found in the target of "missing.t"',
	detail   => "GTID $bad",
	hint     => 'Repair the row, or set option "on_conflict"',
	gtid     => $bad);
is(view_value($node, 'missing', 'applied_gtid'),
	$good, 'missing: what came before is applied');
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM missing.t}
	),
	'1 100, 2 2, 5 5, 6 6',
	'missing: and nothing of the transaction that failed');
is( view_value(
		$node, 'missing', 'confl_update_missing, confl_delete_missing'),
	'1|0',
	'missing: counted once');
$node->safe_psql('postgres', q{INSERT INTO missing.t VALUES (3, 3, 'row 3')});
do_with('start', 'missing');
has_failed(
	'missing',
	sqlstate => 'P0002',
	message  => 'row to delete was not found in the target of "missing.t"',
	detail   => 'GTID ' . ($bad =~ s/(\d+)$/$1 + 1/er),
	hint     => 'Repair the row, or set option "on_conflict"',
	gtid     => $bad =~ s/(\d+)$/$1 + 1/er);
$node->safe_psql('postgres', q{INSERT INTO missing.t VALUES (4, 4, 'row 4')});
goes_on('missing');

# A row that is there already.  Its transaction is told from those that are
# written together with it.
do_with('stop', 'missing');
wait_for_state($node, 'missing', 'stopped');
$node->safe_psql('postgres', q{INSERT INTO missing.t VALUES (9, 0, 'ours')});
$maria->sql(q{INSERT INTO t VALUES (8, 8, 'before')}, 'missing');
$maria->sql(q{INSERT INTO t VALUES (9, 9, 'theirs')}, 'missing');
$bad = $maria->gtid;
$maria->sql(q{INSERT INTO t VALUES (10, 10, 'after')}, 'missing');
do_with('start', 'missing');
has_failed(
	'missing',
	sqlstate => '23505',
	message  => 'duplicate key value violates unique constraint',
	detail   => 'Key \(id\)=\(9\) already exists',
	hint     => 'set option "on_conflict" to apply or skip',
	context  => 'source table "missing.t"',
	gtid     => $bad);
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(s, ' ' ORDER BY id) FROM missing.t WHERE id > 7}),
	'before ours',
	'missing: what came before is applied, what comes after is not');
$node->safe_psql('postgres', 'DELETE FROM missing.t WHERE id = 9');
goes_on('missing');
end_case('missing');

# The same, when a policy decides
foreach my $policy ('skip', 'apply')
{
	my $db = "conflict_$policy";

	begin_case($db, { on_conflict => $policy });
	$node->safe_psql(
		'postgres', qq{
DELETE FROM $db.t WHERE id IN (2, 3);
INSERT INTO $db.t VALUES (8, 0, 'ours')});
	$maria->sql(
		q{
UPDATE t SET v = 200 WHERE id = 2;
DELETE FROM t WHERE id = 3;
INSERT INTO t VALUES (8, 8, 'theirs'), (9, 9, 'new')}, $db);
	wait_for_catchup($node, $db);
	is( $node->safe_psql(
			'postgres',
			"SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM $db.t"),
		$policy eq 'skip'
		? '1 1, 4 4, 5 5, 8 0, 9 9'
		: '1 1, 2 200, 4 4, 5 5, 8 8, 9 9',
		"$db: rows");
	is( view_value(
			$node,
			$db,
			'confl_insert_exists, confl_update_missing, confl_delete_missing, state'
		),
		'1|1|1|streaming',
		"$db: conflicts are counted");
	wait_until(
		'the conflicts to be counted for the table',
		sub {
			$node->safe_psql(
				'postgres', qq{
SELECT conflicts FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE subscription = '$db'}) eq '3';
		});
	compare_tables($maria, $node, ["$db.t"]) if $policy eq 'apply';
	end_case($db);
}

# The target's structure
begin_case('gone');
$node->safe_psql('postgres', 'ALTER TABLE gone.t DROP COLUMN v');
$maria->sql(q{UPDATE t SET v = 60 WHERE id = 1}, 'gone');
has_failed(
	'gone',
	sqlstate => '42703',
	message  => 'target table "t" has no column "v"',
	detail   => 'Column "v" of source table "gone.t" goes there',
	hint     => 'Add the column to the target table',
	gtid     => $maria->gtid);
$node->safe_psql('postgres', 'ALTER TABLE gone.t ADD COLUMN v integer');
$node->safe_psql('postgres', 'UPDATE gone.t SET v = id');
goes_on('gone');

$node->safe_psql('postgres',
	'ALTER TABLE gone.t ALTER COLUMN v TYPE smallint');
$maria->sql(q{UPDATE t SET v = 61 WHERE id = 1}, 'gone');
has_failed(
	'gone',
	sqlstate => '42804',
	message => 'column "v" of type int\(11\) does not fit into type smallint',
	detail  => 'could be changed or lost',
	hint    => 'Make the target column integer',
	gtid    => $maria->gtid);
$node->safe_psql('postgres', 'ALTER TABLE gone.t ALTER COLUMN v TYPE bigint');
goes_on('gone');

$node->safe_psql('postgres',
	'ALTER TABLE gone.t ADD CHECK (v < 1000) NOT VALID');
$maria->sql(q{UPDATE t SET v = 1000 WHERE id = 1}, 'gone');
has_failed(
	'gone',
	sqlstate => '23514',
	message  => 'new row for relation "t" violates check constraint',
	detail   => 'Failing row',
	hint     => 'Drop the constraint of the target, or correct it',
	context  => 'source table "gone.t"',
	gtid     => $maria->gtid);
$node->safe_psql('postgres', 'ALTER TABLE gone.t DROP CONSTRAINT t_v_check');
goes_on('gone');

$node->safe_psql('postgres', 'DROP TABLE gone.t');
$maria->sql(q{UPDATE t SET v = 62 WHERE id = 1}, 'gone');
has_failed(
	'gone',
	sqlstate => '42P01',
	message  => 'target table of "gone.t" does not exist',
	hint     => 'Run mariadb_sync.remove_table\(\) and mariadb_sync.add_table\(\)',
	gtid     => $maria->gtid);
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.remove_table('gone', 'gone.t');
SELECT mariadb_sync.add_table('gone', 'gone.t')});
do_with('start', 'gone');
wait_for_catchup($node, 'gone');
compare_tables($maria, $node, ['gone.t']);
end_case('gone');

# Values that PostgreSQL does not have, by the stream and by the copy
begin_case('nul');
$maria->sql(q{INSERT INTO t VALUES (6, 6, 'a\0b')}, 'nul');
has_failed(
	'nul',
	sqlstate => '22021',
	message  => 'value of column "s" has a NUL byte',
	detail   => 'It is byte 2 of the text',
	hint     => 'Set the option nul_byte to strip or replace',
	context  => 'column "s" of source table "nul.t"',
	gtid     => $maria->gtid);
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('nul', '{"nul_byte": "strip"}')}
);
do_with('start', 'nul');
wait_for_catchup($node, 'nul');
is($node->safe_psql('postgres', 'SELECT s FROM nul.t WHERE id = 6'),
	'ab', 'nul: goes on with another policy');
do_with('drop_subscription', 'nul');
$node->safe_psql('postgres', 'DROP TABLE nul.t');
create_subscription($node, 'nul', 'source', ['nul.*']);
has_failed(
	'nul',
	sqlstate => '22021',
	message  => 'copy of source table "nul.t" failed',
	detail   => 'value of column "s" has a NUL byte',
	hint     => 'Set the option nul_byte to strip or replace');
$maria->sql(q{UPDATE t SET s = 'x' WHERE id = 6}, 'nul');
goes_on('nul');
is( $node->safe_psql(
		'postgres', q{
SELECT state, last_error IS NULL FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE subscription = 'nul'}
	),
	'ready|t',
	'nul: a table that is ready has no error');
end_case('nul');

begin_case('zero', { zero_date => 'error' });
$maria->sql(
	q{
SET sql_mode = '';
CREATE TABLE dates (id int PRIMARY KEY, d date);
INSERT INTO dates VALUES (1, '0000-00-00')}, 'zero');
has_failed(
	'zero',
	sqlstate => '22008',
	message  =>
	  '(copy of source table "zero.dates" failed|value "0000-00-00" of column "d")',
	detail => '',
	hint   => 'Set the option zero_date');
$maria->sql(q{UPDATE dates SET d = '2024-01-01'}, 'zero');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('zero', '{"zero_date": "null"}')}
);
goes_on('zero', 't', 'dates');
end_case('zero');

# Rights on the target
$node->safe_psql(
	'postgres', q{
CREATE ROLE owner;
GRANT CREATE ON DATABASE postgres TO owner;
GRANT USAGE ON SCHEMA mariadb_sync TO owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mariadb_sync TO owner;
GRANT USAGE ON FOREIGN SERVER source TO owner;});
$node->safe_psql(
	'postgres', qq{
CREATE USER MAPPING FOR owner SERVER source
	OPTIONS (username 'repl', password '@{[$maria->password =~ s/'/''/gr]}')});
$maria->sql(
	q{
CREATE DATABASE rights;
CREATE TABLE rights.t (id int PRIMARY KEY, v int);
INSERT INTO rights.t VALUES (1, 1)});
$node->safe_psql('postgres',
	q{SET ROLE owner; SELECT mariadb_sync.create_subscription('rights', 'source', '{rights.*}')}
);
wait_for_catchup($node, 'rights');
$log_position = -s $node->logfile;
$node->safe_psql('postgres', 'REVOKE UPDATE ON rights.t FROM owner');
$maria->sql('UPDATE rights.t SET v = 2');
has_failed(
	'rights',
	sqlstate => '42501',
	message  => 'role "owner" may not write to table "t"',
	detail   => 'the target of source table "rights.t"',
	hint     => 'Grant SELECT, INSERT, UPDATE, DELETE and TRUNCATE',
	gtid     => $maria->gtid);
$node->safe_psql('postgres', 'GRANT UPDATE ON rights.t TO owner');
goes_on('rights');
end_case('rights');

# Nothing of all that has given a secret away
my $log = slurp_file($node->logfile);
foreach my $password (@passwords)
{
	is(index($log, $password), -1, "no password in the log");
}
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM mariadb_sync.history WHERE history::text ~ 'secret|leaked'}
	),
	'0',
	'nor in the history');

$node->stop;
$maria->stop;
$no_binlog->stop;
done_testing();
