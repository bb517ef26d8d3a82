# Geometries in PostGIS' type and vectors in pgvector's, where these are
# installed.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $node  = sync_node('replica');
my $maria = MariaDBServer->new('source');
add_source($node, $maria);

# Geometries
SKIP:
{
	skip 'PostGIS is not installed',
	  1
	  if $node->psql('postgres',
		'CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis') != 0;
	test_geometries();
}

# Vectors
SKIP:
{
	skip 'MariaDB has no vectors', 1
	  if $maria->try_sql(q{SELECT VEC_FromText('[1]')});
	skip 'pgvector is not installed',
	  1
	  if $node->psql('postgres',
		'CREATE SCHEMA vec; CREATE EXTENSION vector SCHEMA vec') != 0;
	test_vectors();
}

$node->stop;
$maria->stop;
done_testing();

sub test_geometries
{
	$maria->sql(
		q{
CREATE DATABASE g;
USE g;
CREATE TABLE shapes (id int PRIMARY KEY, g geometry, p point, l linestring);
INSERT INTO shapes VALUES
	(1, ST_GeomFromText('POINT(1 2)', 4326), ST_GeomFromText('POINT(-1.5 1e100)'), ST_GeomFromText('LINESTRING(0 0,1 1,2 0)', 3857)),
	(2, ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1))'), NULL, NULL),
	(3, ST_GeomFromText('MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))', 4326), NULL, NULL),
	(4, ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'), NULL, NULL),
	(5, ST_GeomFromText('MULTIPOINT(1 1,2 2)'), NULL, ST_GeomFromText('LINESTRING(0 0,1 1)'));
});
	create_subscription($node, 'sub', 'source', ['g.shapes']);
	wait_for_catchup($node, 'sub');
	$maria->sql(
		q{
INSERT INTO shapes SELECT id + 10, g, p, l FROM shapes;
UPDATE shapes SET p = ST_GeomFromText('POINT(7 8)', 4326) WHERE id = 15;
DELETE FROM shapes WHERE id = 14;
}, 'g');
	wait_for_catchup($node, 'sub');
	is( $node->safe_psql(
			'postgres',
			q{SELECT string_agg(DISTINCT format_type(atttypid, atttypmod), ',')
FROM pg_attribute WHERE attrelid = 'g.shapes'::regclass AND attnum > 1}),
		'gis.geometry',
		'geometries have the type of PostGIS');
	my @expected = map {
		join('|', map { defined $_ && $_ ne 'NULL' ? $_ : '' } @$_)
	} $maria->query_rows(
		q{SELECT id, LOWER(HEX(ST_AsWKB(g))), ST_SRID(g), LOWER(HEX(ST_AsWKB(p))), ST_SRID(p), LOWER(HEX(ST_AsWKB(l))), ST_SRID(l)
FROM g.shapes ORDER BY id});
	is( $node->safe_psql(
			'postgres', q{
SELECT id, encode(gis.ST_AsBinary(g), 'hex'), gis.ST_SRID(g), encode(gis.ST_AsBinary(p), 'hex'), gis.ST_SRID(p),
	encode(gis.ST_AsBinary(l), 'hex'), gis.ST_SRID(l)
FROM g.shapes ORDER BY id}),
		join("\n", @expected),
		'and are the same by copy and by stream');

	# Without it, or by the user's own table, EWKB
	$node->safe_psql(
		'postgres', q{
CREATE TABLE plain (id int PRIMARY KEY, g bytea, p bytea, l bytea);
SELECT mariadb_sync.remove_table('sub', 'g.shapes');
SELECT mariadb_sync.add_table('sub', 'g.shapes', 'plain')});
	wait_for_catchup($node, 'sub');
	is( $node->safe_psql(
			'postgres', q{
SELECT count(*) FROM plain a JOIN g.shapes b USING (id)
WHERE (gis.ST_GeomFromEWKB(a.g)::bytea, gis.ST_GeomFromEWKB(a.p)::bytea, gis.ST_GeomFromEWKB(a.l)::bytea)
	IS NOT DISTINCT FROM (b.g::bytea, b.p::bytea, b.l::bytea)}),
		scalar @expected,
		'bytea holds the same as EWKB');
	return;
}

sub test_vectors
{
	# one; one that is not exact in decimal, large and small, in bytes; the last is
	# too wide for pgvector's type
	$maria->sql(
		q{
CREATE DATABASE v;
USE v;
CREATE TABLE vectors (id int PRIMARY KEY, one vector(1), v vector(5), n vector(70) NOT NULL, wide vector(16001));
INSERT INTO vectors VALUES
	(1, VEC_FromText('[1]'), x'cdcccc3d000020c0a379eb4cbd37863500000000',
		VEC_FromText(CONCAT('[', REPEAT('0.25,', 69), '7]')), NULL),
	(2, NULL, NULL, VEC_FromText(CONCAT('[', REPEAT('-1,', 69), '1]')),
		VEC_FromText(CONCAT('[', REPEAT('3,', 16000), '4]')));
});
	$node->safe_psql(
		'postgres', q{
CREATE SCHEMA arrays;
CREATE TABLE arrays.vectors (id int PRIMARY KEY, one real[], v real[], n bytea, wide real[])}
	);
	create_subscription($node, 'vectors', 'source', ['v.*']);
	create_subscription($node, 'arrays', 'source', ['v.*'],
		{ schema_map => { v => 'arrays' } });
	wait_for_catchup($node, $_) foreach qw(vectors arrays);
	$maria->sql(
		q{
INSERT INTO vectors SELECT id + 10, one, v, n, wide FROM vectors;
UPDATE vectors SET one = VEC_FromText('[2]'), v = NULL WHERE id = 11;
UPDATE vectors SET v = VEC_FromText('[5,4,3,2,1]') WHERE id = 12;
INSERT INTO vectors SELECT 21, one, v, n, wide FROM vectors WHERE id = 1;
DELETE FROM vectors WHERE id = 2;
}, 'v');
	wait_for_catchup($node, $_) foreach qw(vectors arrays);
	is( $node->safe_psql(
			'postgres',
			q{SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = 'v.vectors'::regclass AND attnum > 1}),
		'vec.vector(1) vec.vector(5) vec.vector(70) real[]',
		'vectors have the type of pgvector');

	# MariaDB's bytes are little-endian floats, float4send's big-endian
	my @expected = map {
		join('|', map { $_ ne 'NULL' ? $_ : '' } @$_)
	} $maria->query_rows(
		q{SELECT id, LOWER(HEX(one)), LOWER(HEX(v)), LOWER(HEX(n)), MD5(wide) FROM v.vectors ORDER BY id}
	);
	my $bytes =
	  q{(SELECT string_agg(substr(b, 4, 1) || substr(b, 3, 1) || substr(b, 2, 1) || substr(b, 1, 1), '' ORDER BY i)
		FROM (SELECT i, float4send(e) AS b FROM unnest(%s::real[]) WITH ORDINALITY u(e, i)) f)};
	my $hex = sub { 'encode(' . sprintf($bytes, $_[0]) . ", 'hex')" };
	my $md5 = 'md5(' . sprintf($bytes, 'wide') . ')';
	is( $node->safe_psql(
			'postgres',
			'SELECT id, '
			  . join(', ', map { $hex->($_) } qw(one v n))
			  . ", $md5 FROM v.vectors ORDER BY id"),
		join("\n", @expected),
		'and are the same by copy and by stream');
	is( $node->safe_psql(
			'postgres',
			'SELECT id, '
			  . join(', ', map { $hex->($_) } qw(one v))
			  . ", encode(n, 'hex'), $md5 FROM arrays.vectors ORDER BY id"),
		join("\n", @expected),
		'as they are in arrays and bytea');
	return;
}
