# MariaDB's own tests of ALTER TABLE and of replication by rows, run on a
# subscribed source.  They create, alter and drop whatever they please in the
# database "test" and elsewhere, with settings of their own.
#
# Two subscriptions watch: one whose only table is written meanwhile and has
# nothing to do with any of that, and one that has all tables of "test".
# Neither stops.  What cannot follow is a table that says why.
#
# The files named in SOURCE_TESTS are run ("main/alter_table rpl/rpl_row_drop"),
# "all" for all that this is about; SOURCE_PART=2/3 for the second third of them.
#
# What they print is not compared: many look at names and offsets of the binary
# log, which are others here.  Where they forget or purge the binary log they
# begin a new file of it instead: that ends every replication, by its purpose.

use strict;
use warnings;

use File::Basename;
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my ($root) = grep { -d "$_/suite/rpl/t" }
  qw(/usr/share/mysql/mysql-test /usr/share/mariadb/mariadb-test);
my $mysqltest = MariaDBServer->find_program('mariadb-test', 'mysqltest');
plan skip_all => 'no test suite of MariaDB on this machine'
  unless defined $root && defined $mysqltest;
plan skip_all => 'SOURCE_TESTS is not set' unless $ENV{SOURCE_TESTS};

# What stops the source, or needs one that was built for debugging or has more
# than one replica, is about something else.
my @not_here = (
	[ qr/have_debug|debug_sync|debug_dbug/i, 'a server built for debugging' ],
	[
		qr/restart_mysqld|shutdown_mysqld|kill_mysqld|start_mysqld|rpl_stop_server|rpl_start_server|rpl_restart/i,
		'servers that stop and start'
	],
	[ qr/have_wsrep|mysql-wsrep/i, 'Galera' ],
	[
		qr/rpl_server_count|rpl_topology\s*=\s*1->2\s*[,-]|SERVER_MYPORT_3/i,
		'more than two servers'
	],
	[ qr/have_semisync_plugin|have_archive|have_ndb/i, 'a plugin' ],
	# every replica stops there, by its purpose
	[
		qr/rpl_binlog_max_cache_size|LOST_EVENTS|incident/i,
		'a replica that passes over incidents'
	]);

# What a test and all that it includes says.
sub whole_text
{
	my ($file, $seen) = @_;

	return '' if $seen->{$file}++ || !-e $file;
	my $text = slurp_file($file) =~ s/^\s*#.*//gmr;
	foreach my $name ($text =~ /^\s*(?:--\s*)?source\s+([\w\/.-]+)/mg)
	{
		my ($found) = grep { -e $_ } "$root/$name", "$root/suite/rpl/$name",
		  dirname($file) . "/$name";
		# the harness of replication itself asks for all of that
		next if !$found || basename($found) =~ /^((show_)?rpl_\w+\.inc|master-slave.*|have_.*)$/;
		$text .= whole_text($found, $seen);
	}
	return $text;
}

# Why a test cannot run here, or nothing.
sub cannot_run
{
	my ($file) = @_;
	my $text = whole_text($file, {});

	foreach (@not_here) { return $_->[1] if $text =~ $_->[0]; }
	return;
}

sub file_of
{
	my ($test) = @_;
	my ($suite, $name) = split('/', $test);

	return $suite eq 'main'
	  ? "$root/main/$name.test"
	  : "$root/suite/$suite/t/$name.test";
}

my @tests = split(' ', $ENV{SOURCE_TESTS});
if ("@tests" eq 'all')
{
	@tests = map { "main/$_" }
	  grep { -e "$root/main/$_.test" }
	  qw(alter_table alter_table_online alter_table_errors alter_table_trans
	  alter_table_autoinc create_or_replace create drop truncate rename
	  partition_exchange partition_truncate partition_alter);
	foreach my $file (sort glob("$root/suite/rpl/t/*.test"))
	{
		push @tests, 'rpl/' . basename($file, '.test')
		  if whole_text($file, {}) =~ /have_binlog_format_row/;
	}
}
my %cannot;
foreach my $test (@tests)
{
	my $reason = cannot_run(file_of($test));
	push @{ $cannot{$reason} }, $test if $reason;
}
my %left_out = map { $_ => 1 } map { @$_ } values %cannot;
@tests = grep { !$left_out{$_} } @tests;
if (($ENV{SOURCE_PART} || '') =~ /^(\d+)\/(\d+)$/)
{
	my ($part, $parts) = ($1, $2);
	@tests = @tests[ grep { $_ % $parts == $part - 1 } 0 .. $#tests ];
}

# As the tests' own harness starts it
my %options = (
	character_set_server => 'latin1',
	collation_server     => 'latin1_swedish_ci',
	sql_mode => 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
	gtid_strict_mode => 0,
	log_bin_trust_function_creators => 1,
	local_infile => 1,
	secure_file_priv => undef,
	skip_name_resolve      => undef,
	default_storage_engine => 'MyISAM',
	plugin_load_add        => 'metadata_lock_info',
	log_output             => 'TABLE,FILE',
	general_log            => 1,
	slow_query_log         => 1);
my $maria = MariaDBServer->new('source', options => {%options});
my $slave = MariaDBServer->new('slave',
	options => { %options, replicate_wild_ignore_table => 'unrelated.%' });
$_->sql(
	q{CREATE USER IF NOT EXISTS 'root'@'127.0.0.1'; GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION}
) foreach $maria, $slave;
# What they call to say which lines of the server's log are expected
$_->sql(
	q{SET sql_log_bin = 0; CREATE DATABASE mtr;
CREATE PROCEDURE mtr.add_suppression(pattern text) SET @suppressed = pattern})
  foreach $maria, $slave;
$maria->sql('CREATE DATABASE unrelated');
$maria->sql(
	'CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, v int, s varchar(40))',
	'unrelated');
my $node = sync_node('replica', conf => 'mariadb_sync.retry_min_delay = 100ms');
add_source($node, $maria);
create_subscription($node, 'unrelated', 'source', ['unrelated.*']);
$maria->sql('CREATE DATABASE test; CREATE TABLE test.first (id int PRIMARY KEY)');
create_subscription($node, 'all', 'source', ['test.*']);
$slave->sql('CREATE DATABASE test');
wait_for_catchup($node, $_) foreach qw(unrelated all);
my $pid = view_value($node, 'unrelated', 'pid');

my $writer = $maria->start_writer(
	sub {
		my ($i) = @_;
		return "SET SESSION binlog_format = ROW;"
		  . "INSERT INTO unrelated.t (v, s) VALUES ($i, 'row $i');"
		  . 'UPDATE unrelated.t SET v = -v WHERE id = '
		  . int(rand($i + 1))
		  . '; DO sleep(0.02)';
	});

# They write to nothing that is not below this, the servers' directories too.
my $var = $PostgreSQL::Test::Utils::tmp_check;
my $dir = PostgreSQL::Test::Utils::tempdir('source_tests');
mkdir "$var/$_" foreach qw(tmp log);
symlink("$root/std_data", "$var/std_data");

# Their programs find either server by a suffix of the group.
my $config = "$var/my.cnf";
append_to_file(
	$config,
	join(
		'',
		map {
			"[client$_->[0]]\nuser=root\nhost=localhost\nport="
			  . $_->[1]->port
			  . "\nsocket="
			  . $_->[1]->socket . "\n"
		} [ '', $maria ],
		[ '.1', $maria ],
		[ '.2', $slave ]));

# Settings of both servers, to undo what a test leaves of them
my %settings = map { $_->port => settings($_) } $maria, $slave;

sub settings
{
	my ($server) = @_;

	return {
		map { $_->[0] => $_->[1] } $server->query_rows(
			q{SELECT variable_name, global_value FROM information_schema.system_variables
WHERE variable_scope LIKE '%GLOBAL%' AND read_only = 'NO' AND variable_name NOT LIKE 'GTID%'
AND variable_name NOT LIKE 'TIMESTAMP' AND global_value IS NOT NULL})
	};
}

sub restore_settings
{
	my ($server) = @_;
	my $now = settings($server);
	my $old = $settings{ $server->port };

	foreach my $name (grep { $old->{$_} ne ($now->{$_} // '') } sort keys %$old)
	{
		my $value =
		  $old->{$name} =~ /^-?\d+(\.\d+)?$/ ? $old->{$name} : "'$old->{$name}'";
		eval { $server->sql("SET GLOBAL $name = $value"); 1 }
		  or note("$name stays $now->{$name}");
	}
	return;
}

# A file of theirs with the statements that end every replication replaced.
sub copy_file
{
	my ($from, $to) = @_;

	return symlink($from, $to) unless $from =~ /\.(test|inc)$/;
	my $text = slurp_file($from);
	$text =~ s/^(\s*(?:--\s*)?(?:eval\s+)?)(RESET\s+MASTER|PURGE\s+(?:BINARY|MASTER)\s+LOGS)\b[^;\n]*/$1FLUSH BINARY LOGS/gmi;
	$text =~ s/((?:send|reap|connection\s+\w+)\s*;\s*)RESET\s+MASTER\b[^;\n]*/$1FLUSH BINARY LOGS/gi;
	append_to_file($to, $text);
	return;
}

# What the tests include lies in two places, and they name it as if in one.
mkdir "$dir/$_"
  foreach qw(tree tree/include tree/main tree/suite tree/suite/rpl
  tree/suite/rpl/t tree/suite/rpl/include);
symlink($_, "$dir/tree/" . basename($_))
  foreach grep { basename($_) !~ /^(include|main|suite)$/ } glob("$root/*");
symlink($_, "$dir/tree/suite/" . basename($_))
  foreach grep { basename($_) ne 'rpl' } glob("$root/suite/*");
symlink($_, "$dir/tree/suite/rpl/" . basename($_))
  foreach grep { basename($_) !~ /^(t|include)$/ } glob("$root/suite/rpl/*");
copy_file($_, "$dir/tree/include/" . basename($_))
  foreach glob("$root/include/*"),
  grep { !-e "$root/include/" . basename($_) }
  glob("$root/suite/rpl/include/*");
foreach my $part (qw(main suite/rpl/t suite/rpl/include))
{
	copy_file($_, "$dir/tree/$part/" . basename($_))
	  foreach glob("$root/$part/*");
}

# The test, as their harness would run it; returns its status.
sub run_test
{
	my ($test) = @_;
	my $file = file_of($test) =~ s/^\Q$root\E/$dir\/tree/r;
	my $log = "$dir/" . ($test =~ s/\W/_/gr) . '.log';
	my %program = (
		MYSQL        => 'mariadb',
		MYSQL_BINLOG => 'mariadb-binlog',
		MYSQL_DUMP   => 'mariadb-dump',
		MYSQL_ADMIN  => 'mariadb-admin');

	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		chdir("$dir/tree");
		open(STDIN,  '<',  '/dev/null');
		open(STDOUT, '>',  $log);
		open(STDERR, '>&', \*STDOUT);
		$ENV{MYSQLTEST_VARDIR} = $var;
		$ENV{MYSQL_TMP_DIR}    = "$var/tmp";
		$ENV{MYSQL_TEST_DIR}   = "$dir/tree";
		$ENV{MYSQLTEST}        = $mysqltest;
		$ENV{MYSQLTEST_FILE}   = $file;
		$ENV{MASTER_MYPORT}    = $maria->port;
		$ENV{SLAVE_MYPORT}     = $slave->port;
		$ENV{MASTER_MYSOCK}    = $maria->socket;
		$ENV{SLAVE_MYSOCK}     = $slave->socket;
		$ENV{$_} = "$program{$_} --defaults-file=$config" foreach keys %program;
		$ENV{"${_}_SLAVE"} = "$ENV{$_} --defaults-group-suffix=.2"
		  foreach qw(MYSQL MYSQL_DUMP);
		$ENV{DEFAULT_MASTER_PORT} = 3306;
		$ENV{rpl_skip_reset_master_and_slave} = 1;
		$ENV{TZ} = 'GMT-3';
		exec('timeout',                  '40',
			$mysqltest,                  '--no-defaults',
			'--host=localhost',          '--socket=' . $maria->socket,
			'--port=' . $maria->port,    '--user=root',
			'--database=test',           '--silent',
			'--max-connect-retries=10',
			"--test-file=$file",         "--tmpdir=$var/tmp",
			"--logdir=$var/log",         "--basedir=$dir/tree")
		  or POSIX::_exit(127);
	}
	waitpid($pid, 0);
	return ($? >> 8, $log);
}

# What a test has left behind in either server goes.  Their replica starts here:
# with a position, or with the oldest binary log, which is a new one.
sub clean_up
{
	eval { $slave->sql('STOP SLAVE'); };
	eval { $slave->sql('RESET SLAVE ALL'); };
	foreach my $server ($maria, $slave)
	{
		# its locks would be there for ever
		$server->sql("XA ROLLBACK $_->[3]")
		  foreach $server->query_rows(q{XA RECOVER FORMAT = 'SQL'});
		my @dbs = map { $_->[0] } $server->query_rows(
			q{SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'unrelated', 'mtr')}
		);
		$server->sql("SET foreign_key_checks = 0; DROP DATABASE `$_`") foreach @dbs;
		$server->sql('CREATE DATABASE test CHARACTER SET latin1');
		restore_settings($server);
	}
	$maria->sql('FLUSH BINARY LOGS');
	my $gtid = $maria->gtid;
	foreach my $name (qw(unrelated all))
	{
		wait_until(
			"\"$name\" to be there",
			sub {
				pg( "SELECT state = 'error' OR mariadb_sync.wait_for_gtid('$name', '$gtid', '100 ms')"
					  . " FROM mariadb_sync.pg_stat_mariadb_sync WHERE subscription = '$name'"
				) ne 'f';
			});
	}
	my @files = map { $_->[0] } $maria->query_rows('SHOW BINARY LOGS');
	$maria->sql("PURGE BINARY LOGS TO '$files[-1]'");
	$slave->sql("SET GLOBAL gtid_slave_pos = '" . $maria->gtid . "'");
	return;
}

sub pg { return $node->safe_psql('postgres', $_[0]); }

clean_up();
my %count = (whole => 0, partly => 0, ddl => 0, stopped => 0);
my %reasons;
foreach my $test (@tests)
{
	my $start = time;
	my ($status, $log) = run_test($test);
	my $text = slurp_file($log);

	if ($status == 62)
	{
		note("$test skipped: $text");
		next;
	}
	$count{ $status == 0 ? 'whole' : 'partly' }++;
	my $gtid = $maria->gtid;
	my $result = eval {
		pg("SELECT mariadb_sync.wait_for_gtid('unrelated', '$gtid', '60 s')");
	};
	is($result, 't', "$test: the unrelated subscription follows") or do
	{
		diag(view_value($node, 'unrelated', 'state, last_error'));
		last;
	};

	# a subscription that has stopped would not come back by itself
	wait_until(
		"$test to be applied",
		sub {
			pg( "SELECT state = 'error' OR mariadb_sync.wait_for_gtid('all', '$gtid', '100 ms')"
				  . q{ FROM mariadb_sync.pg_stat_mariadb_sync WHERE subscription = 'all'}
			) ne 'f';
		});
	my $state = view_value($node, 'all', 'state');
	my $error = view_value($node, 'all', 'last_error');
	# rows that a test has kept from the binary log are missing here too
	ok( $state ne 'error'
		  || ($error =~ /^row to .* was not found|already exists/
			&& whole_text(file_of($test), {}) =~ /sql_log_bin/i),
		"$test: the one with its tables follows") or diag($error);
	if ($state eq 'error')
	{
		note($error);
		$count{stopped}++;
		pg( q{SELECT mariadb_sync.drop_subscription('all'); DROP SCHEMA test CASCADE}
		);
	}
	note(
		pg( q{
SELECT string_agg(source_table || ': ' || regexp_replace(coalesce(last_error, ''), '\n.*', ''), E'\n')
FROM mariadb_sync.subscription_table WHERE state = 'disabled'}));
	$reasons{$_}++ foreach split(
		/\n/,
		pg( q{
SELECT DISTINCT regexp_replace(regexp_replace(last_error, '\n.*', ''), '"[^"]*"|\d+', '*', 'g')
FROM mariadb_sync.subscription_table WHERE state = 'disabled'}));
	clean_up();
	if ($state eq 'error')
	{
		$maria->sql('CREATE TABLE test.first (id int PRIMARY KEY)');
		create_subscription($node, 'all', 'source', ['test.*']);
	}
	note(
		sprintf('%s: %.0f s, status %d%s',
			$test,
			time - $start,
			$status,
			$status ? ', ' . ($text =~ s/\n/ /gr =~ s/^.*(.{300})$/$1/r) : ''));
}
my $sent = $writer->stop;
wait_for_catchup($node, 'unrelated');
compare_tables($maria, $node, ['unrelated.t']);
is(view_value($node, 'unrelated', 'pid'),
	$pid, 'one and the same worker all the time');
is(view_value($node, 'unrelated', 'last_error'), '', 'without an error');
diag(
	sprintf(
		'%d files run to their end, %d in part; %d writes beside; %s structure changes; the other subscription stopped %d times',
		$count{whole}, $count{partly}, $sent,
		pg(q{SELECT count(*) FROM mariadb_sync.history WHERE kind = 'ddl'}),
		$count{stopped}));
diag("disabled: $_ ($reasons{$_})") foreach sort keys %reasons;
diag("not run, needs $_: @{ $cannot{$_} }") foreach sort keys %cannot;

$node->stop;
$maria->stop;
done_testing();
