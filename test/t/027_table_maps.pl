# Rows are never mis-decoded: a table that was altered behind the binary log's
# back is noticed by what its table maps tell.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

# Each: what the table is, what it becomes, the rows of before and after, and
# what the error says.  A table without an error goes on as if nothing had been.
my @cases = (
	{
		name   => 'relabelled',
		before => q{e enum('a','b','c')},
		after  => q{e enum('a','c','b')},
		value  => q{'b'},
		error  =>
		  qr/Label 2 of column "e" is "c" in the binlog and "b" in the recorded schema/
	},
	{
		name   => 'longer',
		before => q{e enum('a','b')},
		after  => q{e enum('a','b','c')},
		value  => q{'b'},
		error  =>
		  qr/Column "e" has 3 labels in the binlog and 2 in the recorded schema/
	},
	{
		name   => 'reset',
		before => q{s set('x','y','z')},
		after  => q{s set('z','y','x')},
		value  => q{'x,y'},
		error  => qr/Label 1 of column "s" is "z" in the binlog and "x"/
	},
	{
		name   => 'second',
		before =>
		  q{e enum('a') CHARACTER SET latin1, s set('ü','ö') CHARACTER SET ucs2, f enum('я','ж') CHARACTER SET cp1251 DEFAULT NULL},
		after =>
		  q{e enum('a') CHARACTER SET latin1, s set('ü','ø') CHARACTER SET ucs2, f enum('я','ж') CHARACTER SET cp1251 DEFAULT NULL},
		value => q{'a', 'ü', NULL},
		error => qr/Label 2 of column "s" is "ø" in the binlog and "ö"/
	},
	{
		name   => 'same_labels',
		before =>
		  q{e enum('ä','ö','ü') CHARACTER SET latin1, s set('ç','ñ') CHARACTER SET utf8mb4},
		after =>
		  q{e enum('ä','ö','ü') CHARACTER SET utf16 COLLATE utf16_bin, s set('ç','ñ') CHARACTER SET cp850 },
		value => q{'ö', 'ç'}
	},
	{
		name   => 'transcoded',
		before =>
		  q{a varchar(20) CHARACTER SET cp1251, t varchar(20) CHARACTER SET latin1},
		after =>
		  q{a varchar(20) CHARACTER SET cp1251, t varchar(20) CHARACTER SET cp1250},
		value => q{'я', 'é'},
		error =>
		  qr/Column "t" has character set cp1250 in the binlog and latin1 in the recorded schema/,
		minimal => 1
	},
	{
		name   => 'bytes',
		before => q{t text CHARACTER SET utf8mb4},
		after  => q{t blob},
		value  => q{'é'},
		error  =>
		  qr/Column "t" has character set binary in the binlog and utf8mb4/,
		minimal => 1
	},
	{
		name   => 'text',
		before => q{n int, t blob},
		after  => q{n int, t text CHARACTER SET latin1},
		value  => q{1, 'abc'},
		error  =>
		  qr/Column "t" has character set latin1 in the binlog and binary/,
		minimal => 1
	},
	{
		name   => 'collated',
		before =>
		  q{t varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, u text CHARACTER SET utf8mb3},
		after =>
		  q{t varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_nopad_ci, u text CHARACTER SET utf8mb3 COLLATE utf8mb3_bin},
		value   => q{'é', 'è'},
		minimal => 1
	},
	{
		name    => 'signed',
		before  => q{n int},
		after   => q{n int unsigned},
		value   => q{5},
		error   => qr/Column "n" has changed its sign/,
		minimal => 1
	},
	{
		name   => 'renamed',
		before => q{n int, m int},
		after  => q{m int, n int},
		value  => q{5, 6},
		error  =>
		  qr/Column 2 is "m" in the binlog and "n" in the recorded schema/
	},
	{
		name   => 'replaced',
		before => q{n int},
		after  => q{n float},
		value  => q{5},
		error  =>
		  qr/structure of source table "m[12].replaced" is not the recorded one/,
		minimal => 1
	},
	{
		name    => 'counted',
		before  => q{n int},
		after   => q{n int, m int DEFAULT 4},
		value   => q{5},
		error   => qr/The binlog has 3 columns, the recorded schema 2/,
		minimal => 1
	});

foreach my $metadata (qw(FULL MINIMAL))
{
	my $db     = $metadata eq 'FULL' ? 'm1' : 'm2';
	my @tables = grep { $metadata eq 'FULL' || $_->{minimal} } @cases;

	$maria->sql(
		"SET GLOBAL binlog_row_metadata = $metadata; CREATE DATABASE $db");
	$maria->sql(
		"CREATE TABLE $_->{name} (id int PRIMARY KEY, $_->{before}) CHARACTER SET utf8mb4;
INSERT INTO $_->{name} VALUES (1, $_->{value});", $db) foreach @tables;

	# With "ddl": "apply" only the table would stop.
	create_subscription($node, $db, 'source', ["$db.*"], { ddl => 'stop' });
	wait_for_catchup($node, $db);

	foreach my $case (@tables)
	{
		my ($name, $error) = ("$db.$case->{name}", $case->{error});

		my $extra = $case->{name} eq 'counted' ? ', 4' : '';

		# Before, unseen, after
		$maria->sql(
			"INSERT INTO $case->{name} VALUES (2, $case->{value});
SET sql_log_bin = 0;
CREATE TABLE t (id int PRIMARY KEY, $case->{after}) CHARACTER SET utf8mb4;
INSERT INTO t SELECT *$extra FROM $case->{name};
DROP TABLE $case->{name};
RENAME TABLE t TO $case->{name};
SET sql_log_bin = 1;
UPDATE $case->{name} SET id = 12 WHERE id = 2;", $db);
		if ($error)
		{
			wait_for_state($node, $db, 'error');
			my $text = view_value($node, $db, 'last_error');
			like($text, $error, "$metadata: $case->{name} is noticed");
			is( $node->safe_psql(
					'postgres',
					"SELECT string_agg(id::text, ' ' ORDER BY id) FROM $name"
				),
				'1 2',
				'the rows of before are there');
			$node->safe_psql(
				'postgres', "
DROP TABLE $name;
SELECT mariadb_sync.remove_table('$db', '$name');
SELECT mariadb_sync.start('$db');
SELECT mariadb_sync.add_table('$db', '$name')");
		}
		wait_for_catchup($node, $db);
		compare_tables($maria, $node, [$name]);
	}
}

# By default it is the table that stops.
$maria->sql(
	q{
SET GLOBAL binlog_row_metadata = FULL;
CREATE DATABASE d;
USE d;
CREATE TABLE one (id int PRIMARY KEY, e enum('a','b'));
CREATE TABLE two (id int PRIMARY KEY);});
create_subscription($node, 'd', 'source', ['d.*']);
wait_for_catchup($node, 'd');
$maria->sql(
	q{
SET sql_log_bin = 0;
ALTER TABLE one MODIFY e enum('b','a');
SET sql_log_bin = 1;
INSERT INTO one VALUES (1, 'a');
INSERT INTO two VALUES (1);
}, 'd');
my $view = 'mariadb_sync.pg_stat_mariadb_sync_tables';
$node->poll_query_until('postgres',
	"SELECT state = 'disabled' FROM $view WHERE source_table = 'd.one'")
  or die 'timed out waiting for the table to be disabled';
like(
	$node->safe_psql(
		'postgres',
		"SELECT last_error FROM $view WHERE source_table = 'd.one'"),
	qr/Label 1 of column "e" is "b" in the binlog and "a" in the recorded schema/,
	'a relabelled table is disabled');
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM d.two')
  or die 'timed out waiting for the other table';
is($node->safe_psql('postgres', 'SELECT count(*) FROM d.one'),
	'0', 'and the others go on');

# Whatever the labels' character set, they are recognised.
my @charsets = map { $_->[0] } $maria->query_rows(
	q{SELECT character_set_name FROM information_schema.character_sets
WHERE character_set_name <> 'swe7' ORDER BY 1});
my %special = (
	(map { $_ => 'äöü' } qw(latin1 utf8mb3 ucs2 dec8 hp8 cp850 macroman)),
	(map { $_ => '😀ß' } qw(utf8mb4 utf16 utf16le utf32)),
	(map { $_ => 'яжы' } qw(cp1251 koi8r koi8u cp866)),
	(map { $_ => 'ソ表' } qw(sjis cp932 ujis eucjpms)),
	gbk    => '中文',
	gb2312 => '中文',
	big5   => '功能',
	euckr  => '한글',
	greek  => 'αβ',
	cp1250 => 'łž',
	latin2 => 'łž',
	hebrew => 'אב');
$maria->sql(
	"SET GLOBAL binlog_row_metadata = FULL; CREATE DATABASE l CHARACTER SET utf8mb4;
CREATE TABLE l.l (id int PRIMARY KEY, "
	  . join(
		', ',
		map {
			my $labels =
			  "'plain', 'with space', '" . ($special{$_} || 'x') . "'";
			"e_$_ enum($labels) CHARACTER SET $_, s_$_ set($labels) CHARACTER SET $_"
		} @charsets)
	  . ')');
create_subscription($node, 'l', 'source', ['l.*']);
wait_for_catchup($node, 'l');
$maria->sql("INSERT INTO l.l VALUES ($_, "
	  . join(', ', map { "$_, $_" } ($_) x @charsets) . ')')
  foreach 1 .. 3;
wait_for_catchup($node, 'l');
compare_tables($maria, $node, ['l.l']);

$node->stop;
$maria->stop;
done_testing();
