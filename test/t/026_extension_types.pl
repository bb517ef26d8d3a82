# Geometries in PostGIS' type and vectors in pgvector's, where these are
# installed.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = sync_node('replica');
plan skip_all => 'PostGIS is not installed'
  if $node->psql('postgres',
	'CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis') != 0;

my $maria = MariaDBServer->new('source');
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
add_source($node, $maria);
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

$node->stop;
$maria->stop;
done_testing();
