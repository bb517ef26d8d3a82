# Online schema change tools: pt-online-schema-change itself, under writes,
# and the sequence of statements of gh-ost, with and without their helper
# tables in the patterns.  In the end the table has the new shape and the
# same rows.

use strict;
use warnings;

use IPC::Run ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

# Which tables the subscription has: the helpers too, the one table, or all but
# the new helpers while the old table stays in.
my %patterns = (
	all     => ['osc_all.*'],
	one     => ['osc_one.t'],
	without => [
		'osc_without.*',      '!osc_without.*_new',
		'!osc_without.*_gho', '!osc_without.*_ghc'
	]);

# What gh-ost does, as its documentation tells, with rows in between.
sub gh_ost
{
	my ($db) = @_;
	my $copy =
	  'INSERT IGNORE INTO _t_gho (id, v, n) SELECT id, v, n FROM t LOCK IN SHARE MODE';
	$maria->sql($_, $db)
	  foreach (
		'CREATE TABLE _t_ghc (id bigint AUTO_INCREMENT, last_update timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) CHARACTER SET ascii NOT NULL, value varchar(4096) CHARACTER SET ascii NOT NULL, PRIMARY KEY (id), UNIQUE KEY hint_uidx (hint)) COMMENT = \'gh-ost\'',
		'INSERT INTO _t_ghc (id, hint, value) VALUES (1, \'state\', \'GhostTableMigrated\')',
		'CREATE TABLE _t_gho LIKE t',
		'ALTER TABLE _t_gho ADD COLUMN added int NOT NULL DEFAULT 3, MODIFY v varchar(100), DROP COLUMN gone',
		$copy,
		'INSERT INTO t (v, n) VALUES (\'during\', 1); REPLACE INTO _t_gho (id, v, n) SELECT id, v, n FROM t WHERE v = \'during\'',
		'CREATE TABLE _t_del (id int AUTO_INCREMENT PRIMARY KEY) COMMENT = \'ghost-cut-over-sentry\'',
		'DROP TABLE _t_del',
		'RENAME TABLE t TO _t_del, _t_gho TO t',
		'INSERT INTO t (v, n, added) VALUES (\'after\', 2, 4)',
		'UPDATE t SET n = n + 1 WHERE id < 10',
		'DROP TABLE _t_ghc; DROP TABLE _t_del');
	return;
}

my $tool =
  -x '/usr/bin/pt-online-schema-change'
  ? '/usr/bin/pt-online-schema-change'
  : undef;

sub pt_osc
{
	my ($db) = @_;
	my $writer = $maria->start_writer(
		sub {
			$_[0] % 3
			  ? "INSERT INTO t (v, n) VALUES ('w$_[0]', $_[0])"
			  : "UPDATE t SET n = n + 1 WHERE id % 17 = $_[0] % 17";
		},
		$db);
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run(
		[
			$tool,
			'--execute',
			'--no-version-check',
			'--alter',
			'ADD COLUMN pt int NOT NULL DEFAULT 9, MODIFY v varchar(200)',
			'--chunk-size',
			'100',
			'D=' . $db . ',t=t,u=root,S=' . $maria->socket
		],
		'>',
		\$out,
		'2>',
		\$err);
	$writer->stop;
	ok($ok, "$db: pt-online-schema-change") or diag("$out$err");
	return;
}

foreach my $case (sort keys %patterns)
{
	my $db = "osc_$case";
	$maria->sql("CREATE DATABASE $db");
	$maria->sql(
		'CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(20), n int, gone int);'
		  . ' INSERT INTO t (v, n) SELECT concat(\'v\', seq), seq FROM seq_1_to_500',
		$db);
	create_subscription($node, $db, 'source', $patterns{$case});
	wait_for_catchup($node, $db);

	gh_ost($db);
	wait_for_catchup($node, $db);
	compare_tables($maria, $node, ["$db.t"]);
	compare_structure($maria, $node, ["$db.t"]);

  SKIP:
	{
		skip 'no pt-online-schema-change', 3 unless $tool;
		pt_osc($db);
		wait_for_catchup($node, $db);
		compare_tables($maria, $node, ["$db.t"]);
		compare_structure($maria, $node, ["$db.t"]);
	}
	my $resyncs = $node->safe_psql(
		'postgres', qq{
SELECT count(*) FROM mariadb_sync.history h JOIN mariadb_sync.subscription s USING (subid)
WHERE s.name = '$db' AND h.kind = 'ddl' AND h.result LIKE 'resync%' AND h.source_table = '$db.t'}
	);
	is($resyncs, '0', "$db: the renames alone were enough") if $case eq 'all';
	cmp_ok($resyncs, '>', 0, "$db: the table was copied anew")
	  if $case eq 'one';
	is(view_value($node, $db, 'last_error'), '', "$db: no error");
	$node->safe_psql('postgres',
		"SELECT mariadb_sync.drop_subscription('$db')");
}

done_testing();
