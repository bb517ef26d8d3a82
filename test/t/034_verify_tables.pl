# verify() in every class of table under write load, in parallel: it finds
# exactly the differences that were planted, of each kind, and repair mends
# exactly those.  How it is watched, cancelled, resumed and slowed down.
#
# VERIFY_SECONDS is for how long there must be no false alarm.

use strict;
use warnings;

use IPC::Run ();

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{VERIFY_SECONDS} || 20;

# The classes of tables: name, key columns and key, how a row's key is made of
# a number, and of the key's text what difference shows.
my %key = (
	t_int       => [ 'id int',                                   'id', '%d' ],
	t_big       => [ 'id bigint unsigned',                       'id', '%d' ],
	t_composite => [ 'a int, b varchar(20)',                     'a, b', q{%1$d MOD 7, concat('k', %1$d)} ],
	t_ci        => [ 'id varchar(30)',                           'id', q{concat('Key ', %d)} ],
	t_bin       => [ 'id varchar(30) COLLATE utf8mb4_bin',       'id', q{concat('Key ', %d)} ],
	t_bytes     => [ 'id varbinary(20)',                         'id', q{unhex(md5(%d))} ],
	t_uuid      => [ 'id uuid',                                  'id', q{cast(md5(%d) as uuid)} ],
	t_parts     => [ 'id int',                                   'id', '%d' ],
	t_none      => [ 'id int',                                   undef, '%d' ]);
my @tables = sort keys %key;
my $rows   = 12000;
my $values =
  'n int NOT NULL, v varchar(50), d double, f float, at timestamp(3) NULL, raw varbinary(16), empty varchar(10), doc json';

my $maria = MariaDBServer->new('source');
$maria->sql("CREATE DATABASE v");
foreach my $table (@tables)
{
	my ($columns, $key, $make) = @{ $key{$table} };

	$maria->sql(
		"CREATE TABLE $table ($columns, $values"
		  . ($key ? ", PRIMARY KEY ($key))" : ')')
		  . ";
INSERT INTO $table SELECT "
		  . sprintf($make, 'seq') =~ s/\b0\b/seq/gr . ",
	seq, concat('Value ', seq), seq / 7e0, seq / 3e0, timestamp'2026-01-01 00:00:00' + INTERVAL seq SECOND,
	unhex(md5(seq)), IF(seq MOD 2, NULL, ''), concat('{\"n\": ', seq, '}') FROM seq_1_to_$rows",
		'v');
}

my $node = sync_node('replica');
add_source($node, $maria);
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA v;
CREATE TABLE v.t_parts (id int NOT NULL PRIMARY KEY, n int, v text, d float8, f float4, at timestamptz,
	raw bytea, empty text, doc json) PARTITION BY RANGE (id);
CREATE TABLE v.t_parts_1 PARTITION OF v.t_parts FOR VALUES FROM (MINVALUE) TO (5000);
CREATE TABLE v.t_parts_2 PARTITION OF v.t_parts DEFAULT;
});
create_subscription($node, 'sub', 'source', ['v.*'], { json_as => 'jsonb', create_tables => JSON::PP::true() });
