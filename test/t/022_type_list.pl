# Every type that the server knows is in the manual's map or in its list of
# refused types, and does what the manual says.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql('CREATE DATABASE t');

# Types by their names in the server's help and its plugins.
my %names = map { lc $_->[0] => 1 } (
	$maria->query_rows(
		q{
SELECT t.name FROM mysql.help_topic t JOIN mysql.help_category c USING (help_category_id)
WHERE c.name LIKE '%Data Types%' OR c.name LIKE '%Geometry%'}),
	$maria->query_rows(
		q{
SELECT plugin_name FROM information_schema.plugins
WHERE plugin_type = 'DATA TYPE' AND plugin_status = 'ACTIVE'}));
$names{$_} = 1
  foreach qw(point linestring polygon multipoint multilinestring multipolygon
  geometrycollection geometry vector xmltype);

# What columns of such a type are called in information_schema.
my %types;
my $n = 0;
foreach my $name (sort keys %names)
{
	foreach my $definition ($name, "$name(4)", "$name('a','b')")
	{
		$n++;
		next
		  if $maria->try_sql(
			"CREATE TABLE t$n (id int PRIMARY KEY, c $definition)", 't');
		my $type = $maria->value(
			"SELECT LOWER(data_type) FROM information_schema.columns
WHERE table_schema = 't' AND table_name = 't$n' AND column_name = 'c'");
		push @{ $types{$type} }, "t$n";
	}
}
foreach (
	$maria->query_rows(
		'SELECT DISTINCT LOWER(data_type) FROM information_schema.columns'))
{
	$types{ $_->[0] } ||= [];
}
cmp_ok(scalar keys %types, '>=', 38, 'the server tells its types')
  or diag(join(' ', sort keys %types));

# The manual
my $manual    = slurp_file('README.md');
my ($map)     = $manual =~ /\n## Types\n(.*?)\n## /s;
my ($refused) = $map    =~ /\nRefused types: (.*?)\n\n/s;
my %mapped;
foreach my $row ($map =~ /^\| (.*)$/mg)
{
	my ($source) = split(/ \| /, $row);
	$mapped{ lc $_ } = 1 foreach $source =~ /\b([A-Z][A-Z0-9]+)\b/g;
}
$mapped{ lc $_ } = 2 foreach $refused =~ /\b([A-Z][A-Z0-9]+)\b/g;

my $node = sync_node('replica');
add_source($node, $maria);
foreach my $type (sort keys %types)
{
	ok($mapped{$type}, "the manual says what becomes of $type") or next;
	next unless @{ $types{$type} };
	my ($status, $stdout, $stderr) = $node->psql(
		'postgres', "
BEGIN;
SELECT mariadb_sync.create_subscription('sub', 'source', '{t.$types{$type}[0]}', '{\"enabled\": false}');
ROLLBACK;");
	if ($mapped{$type} == 2)
	{
		like($stderr, qr/is not supported/, "$type is refused");
	}
	else
	{
		unlike($stderr, qr/ERROR/, "$type has a target");
	}
}

$node->stop;
$maria->stop;
done_testing();
