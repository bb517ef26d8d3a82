# What the owner of a target may make us do.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE shop;
USE shop;
CREATE TABLE copied (id int PRIMARY KEY);
CREATE TABLE streamed (id int PRIMARY KEY);
CREATE TABLE lent (id int PRIMARY KEY);
CREATE TABLE at_once (id int PRIMARY KEY);
INSERT INTO copied VALUES (1);
INSERT INTO at_once VALUES (1);
});

my $node = sync_node('replica');
add_source($node, $maria);

# A role that may replicate and no more, with tables that have triggers.
my $username = $maria->user;
my $password = $maria->password =~ s/'/''/gr;
$node->safe_psql(
	'postgres', qq{
CREATE ROLE low LOGIN;
CREATE SCHEMA shop AUTHORIZATION low;
GRANT USAGE ON FOREIGN SERVER source TO low;
GRANT USAGE ON SCHEMA mariadb_sync TO low;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mariadb_sync TO low;
CREATE USER MAPPING FOR low SERVER source
	OPTIONS (username '$username', password '$password');
SET ROLE low;
CREATE TABLE shop.ran (trigger text, role text);
CREATE TABLE shop.copied (id int PRIMARY KEY);
CREATE TABLE shop.streamed (id int PRIMARY KEY);
CREATE TABLE shop.lent (id int PRIMARY KEY);
CREATE TABLE shop.at_once (id int PRIMARY KEY);
CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
	RAISE LOG 'trigger % runs as %', tg_name, current_user;
	INSERT INTO shop.ran VALUES (tg_name, current_user);
	BEGIN
		ALTER ROLE low SUPERUSER;
	EXCEPTION WHEN insufficient_privilege THEN
		NULL;
	END;
	RETURN NULL;
END\$\$;
});

sub add_trigger
{
	my ($table, $deferred) = @_;

	my $when = $deferred ? 'DEFERRABLE INITIALLY DEFERRED' : '';
	$node->safe_psql(
		'postgres', qq{
SET ROLE low;
CREATE CONSTRAINT TRIGGER on_$table AFTER INSERT ON shop.$table $when
	FOR EACH ROW EXECUTE FUNCTION shop.note();
ALTER TABLE shop.$table ENABLE ALWAYS TRIGGER on_$table;});
	return;
}

sub create_as_low
{
	my ($name) = @_;

	$node->safe_psql('postgres',
		qq{SET ROLE low; SELECT mariadb_sync.create_subscription('$name', 'source', '{shop.$name}')}
	);
	return;
}

sub is_superuser
{
	return $node->safe_psql('postgres',
		q{SELECT rolsuper FROM pg_roles WHERE rolname = 'low'});
}

my $refused =
  qr/cannot fire deferred trigger within security-restricted operation/;

# At the end of a transaction we are the superuser: nothing may be left for
# then.
add_trigger('copied', 1);
create_as_low('copied');
$node->poll_query_until(
	'postgres', q{
SELECT last_error IS NOT NULL FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table = 'shop.copied'}) or die 'the copy does not fail';
like(
	$node->safe_psql(
		'postgres', q{
SELECT last_error FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table = 'shop.copied'}),
	$refused,
	'a copy refuses a deferred trigger');
is(is_superuser(), 'f', 'and the owner of the target has gained nothing');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('copied')});

create_as_low('streamed');
wait_for_catchup($node, 'streamed');
add_trigger('streamed', 1);
$maria->sql('INSERT INTO shop.streamed VALUES (1)');
wait_for_state($node, 'streamed', 'error');
like(view_value($node, 'streamed', 'last_error'),
	$refused, 'so does the stream');
is(view_value($node, 'streamed', 'last_error_gtid'),
	$maria->gtid, 'and names the transaction');
is(is_superuser(), 'f', 'and the owner of the target has gained nothing');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('streamed')});

# The subscription of a superuser, the table of somebody else
create_subscription($node, 'lent', 'source', ['shop.lent']);
wait_for_catchup($node, 'lent');
add_trigger('lent', 1);
$maria->sql('INSERT INTO shop.lent VALUES (1)');
wait_for_state($node, 'lent', 'error');
like(view_value($node, 'lent', 'last_error'),
	$refused, "so does the stream of a superuser's subscription");
is(is_superuser(), 'f', 'and the owner of the target has gained nothing');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('lent')});

# A trigger that fires at once is the owner's.
add_trigger('at_once', 0);
create_as_low('at_once');
wait_for_catchup($node, 'at_once');
$maria->sql('INSERT INTO shop.at_once VALUES (2)');
wait_for_catchup($node, 'at_once');
compare_tables($maria, $node, ['shop.at_once']);
is( $node->safe_psql('postgres', 'SELECT * FROM shop.ran'),
	"on_at_once|low\non_at_once|low",
	'immediate triggers run as the owner, in copy and stream, and no other ran'
);
is(is_superuser(), 'f', 'and the owner of the target has gained nothing');
unlike(
	slurp_file($node->logfile),
	qr/trigger \w+ runs as (?!low\b)/,
	'nothing ran as another role');

# A superuser's subscription runs them as superuser: that is said when the
# table is mapped, and when a trigger comes later.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('at_once')});
my $stderr = '';
$node->psql(
	'postgres',
	q{
TRUNCATE shop.at_once;
SELECT mariadb_sync.create_subscription('at_once', 'source', '{shop.at_once}', '{"enabled": false}')},
	stderr => \$stderr);
like(
	$stderr,
	qr/WARNING:  triggers of table "at_once" run as superuser/,
	"a superuser's subscription to a table with triggers is told of");
like($stderr, qr/HINT:  Let "low", or another role/, 'with what to do');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('at_once')});

$node->stop;
$maria->stop;
done_testing();
