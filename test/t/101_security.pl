# What the owner of a target, or of a source, may make us do.

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
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

# A role that may replicate and no more, with tables that have triggers.
my $username = $maria->user;
my $password = $maria->password =~ s/'/''/gr;
$node->safe_psql(
	'postgres', qq{
CREATE ROLE low LOGIN;
GRANT pg_read_all_stats TO low;
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

# With run_as_owner false they would be the superuser's: that is said when the
# table is mapped.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('at_once')});
my $stderr = '';
$node->psql(
	'postgres',
	q{
TRUNCATE shop.at_once;
SELECT mariadb_sync.create_subscription('at_once', 'source', '{shop.at_once}', '{"enabled": false, "run_as_owner": false}')},
	stderr => \$stderr);
like(
	$stderr,
	qr/WARNING:  triggers of table "at_once" run as superuser/,
	'a subscription with all rights to a table with triggers is told of');
like($stderr, qr/HINT:  Set .*run_as_owner/, 'with what to do');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('at_once')});

###########################################################################
# Every place where a table's owner can have a function
###########################################################################

sub as_low
{
	my ($sql) = @_;

	local $ENV{PGUSER} = 'low';
	return $node->safe_psql('postgres', $sql);
}

# attack() tells the log as whom it runs and where, then tries what it can: to
# become more, to leave a trigger for the end of the transaction, and settings
# and objects for whatever comes next in the same process.  bait() is taken for
# immutable, so that a planner may call it already.
as_low(
	q{
CREATE TABLE shop.trap (id int);
CREATE FUNCTION shop.spring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM shop.attack('left: the trap');
	RETURN NULL;
END$$;
CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON shop.trap
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.spring();
ALTER TABLE shop.trap ENABLE ALWAYS TRIGGER trap;
CREATE FUNCTION shop.attack(place text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	attempt text;
BEGIN
	RAISE LOG 'attack by % runs as % in %', place, current_user,
		(SELECT backend_type FROM pg_catalog.pg_stat_activity
		 WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid());
	IF pg_catalog.starts_with(place, 'left: ') THEN
		RETURN 0;
	END IF;
	FOREACH attempt IN ARRAY ARRAY[
		'ALTER ROLE low SUPERUSER',
		'SET ROLE NONE',
		'SET SESSION AUTHORIZATION DEFAULT',
		'CREATE TEMP TABLE left_behind (id int)',
		'CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (shop.attack(''left: a domain'') = 0)',
		'INSERT INTO shop.trap VALUES (1)',
		'DECLARE left_behind CURSOR WITH HOLD FOR SELECT shop.attack(''left: a cursor'')',
		'UPDATE mariadb_sync.subscription SET owner = 10']
	LOOP
		BEGIN
			EXECUTE attempt;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END LOOP;
	PERFORM pg_catalog.set_config('search_path', 'shop, pg_catalog', false);
	RETURN 0;
END$$;
CREATE FUNCTION shop.bait(place text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	PERFORM shop.attack(place);
	RETURN 0;
END$$;
CREATE FUNCTION shop.bait(n int, place text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	PERFORM shop.attack(place);
	RETURN n;
END$$;
CREATE FUNCTION shop.fake_equal(oid, int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM shop.attack('left: operator = of oid');
	RETURN $1 OPERATOR(pg_catalog.=) $2::pg_catalog.oid;
END$$;
CREATE OPERATOR shop.= (FUNCTION = shop.fake_equal, LEFTARG = oid, RIGHTARG = int);
CREATE FUNCTION shop.fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM shop.attack(tg_argv[0]);
	RETURN CASE WHEN tg_op = 'DELETE' THEN old ELSE new END;
END$$;
});

my @places = (
	'a check',
	'a column default',
	'a generated column',
	'a domain',
	'an index expression',
	'an index predicate',
	'a constant in an index',
	'a partition key',
	'a trigger for each row',
	'a trigger for the statement',
	'a trigger of truncate',
	'a rule',
	'extended statistics');

$maria->sql(
	q{
CREATE TABLE plain (id int PRIMARY KEY, v int, t smallint DEFAULT 1);
CREATE TABLE dom (id int PRIMARY KEY, v int);
CREATE TABLE filled (id int PRIMARY KEY, v int);
CREATE TABLE parted (id int, v int);
CREATE TABLE fired (id int PRIMARY KEY, v int);
CREATE TABLE ruled (id int PRIMARY KEY, v int);
INSERT INTO plain VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO dom SELECT id, v FROM plain;
INSERT INTO filled SELECT id, v FROM plain;
INSERT INTO parted SELECT id, v FROM plain;
INSERT INTO fired SELECT id, v FROM plain;
INSERT INTO ruled SELECT id, v FROM plain;
}, 'shop');
my @attacking = map { "shop.$_" } qw(plain dom filled parted fired ruled);

as_low(
	q{
CREATE DOMAIN shop.number AS int CHECK (shop.attack('a domain') = 0);
CREATE TABLE shop.plain (id int PRIMARY KEY,
	v int CHECK (shop.attack('a check') = 0), t smallint);
CREATE INDEX ON shop.plain ((shop.bait(v, 'an index expression')));
CREATE INDEX ON shop.plain (v) WHERE shop.bait(v, 'an index predicate') > 0;
CREATE INDEX ON shop.plain ((v + shop.bait('a constant in an index')));
CREATE STATISTICS shop.plain_stat ON v, (shop.bait(v, 'extended statistics')) FROM shop.plain;
CREATE TABLE shop.dom (id int PRIMARY KEY, v shop.number);
CREATE TABLE shop.filled (id int PRIMARY KEY, v int,
	d int DEFAULT shop.attack('a column default'),
	g int GENERATED ALWAYS AS (shop.bait(v, 'a generated column')) STORED);
CREATE TABLE shop.parted (id int, v int)
	PARTITION BY LIST (shop.bait(id, 'a partition key'));
CREATE TABLE shop.parted_all PARTITION OF shop.parted DEFAULT;
CREATE TABLE shop.fired (id int PRIMARY KEY, v int);
CREATE TRIGGER t1 BEFORE INSERT OR UPDATE OR DELETE ON shop.fired
	FOR EACH ROW EXECUTE FUNCTION shop.fire('a trigger for each row');
CREATE TRIGGER t2 AFTER INSERT OR UPDATE OR DELETE ON shop.fired
	FOR EACH STATEMENT EXECUTE FUNCTION shop.fire('a trigger for the statement');
CREATE TRIGGER t3 BEFORE TRUNCATE ON shop.fired
	FOR EACH STATEMENT EXECUTE FUNCTION shop.fire('a trigger of truncate');
ALTER TABLE shop.fired ENABLE ALWAYS TRIGGER t1;
ALTER TABLE shop.fired ENABLE REPLICA TRIGGER t2;
ALTER TABLE shop.fired ENABLE ALWAYS TRIGGER t3;
CREATE TABLE shop.ruled (id int PRIMARY KEY, v int);
CREATE RULE r AS ON INSERT TO shop.ruled DO ALSO SELECT shop.attack('a rule');
ALTER TABLE shop.ruled ENABLE ALWAYS RULE r;
});

# What the log says from this offset on: places that our processes ran, and
# what ran as another role, or of what was left behind.
sub attacks
{
	my ($offset) = @_;

	my (%seen, %others);
	my $log = slurp_file($node->logfile, $offset);
	while ($log =~ /attack by (.+?) runs as (\S+) in (.*)/g)
	{
		my ($place, $role, $where) = ($1, $2, $3);
		my $ours = $where =~ /^mariadb_sync/;
		$seen{$place} = 1 if $ours;
		$others{"$place as $role in $where"} = 1
		  if $role ne 'low'
		  || ($ours && $place =~ /^left: /);
	}
	return (\%seen, \%others);
}

sub is_harmless
{
	my ($offset, $what) = @_;

	my ($seen, $others) = attacks($offset);
	is(join(', ', sort keys %$others),
		'', "$what: nothing runs as another role");
	is(is_superuser(), 'f', "$what: the owner has gained nothing");
	return $seen;
}

# Reading a table is enough to run what is in its indexes.
sub compare_as_low
{
	local $ENV{PGUSER} = 'low';
	compare_tables($maria, $node, [@_]);
	return;
}

# The stream in all its ways, and structure changes
sub stream_all
{
	my ($name) = @_;

	foreach my $table (@attacking)
	{
		$maria->sql(
			qq{
INSERT INTO $table (id, v) VALUES (3, 3), (4, 4);
UPDATE $table SET v = v + 10 WHERE id = 3;
DELETE FROM $table WHERE id = 4;
TRUNCATE $table;
INSERT INTO $table (id, v) VALUES (5, 5);
INSERT INTO $table (id, v) VALUES (6, 6);}, 'shop');
	}
	wait_for_catchup($node, $name);
	compare_as_low(@attacking);
	$maria->sql(
		q{
ALTER TABLE plain ADD COLUMN w int DEFAULT 3, MODIFY t bigint;
INSERT INTO plain VALUES (7, 7, 7, 7);}, 'shop');
	wait_for_catchup($node, $name);
	compare_as_low('shop.plain');
	$maria->sql('ALTER TABLE plain DROP COLUMN w, MODIFY t smallint', 'shop');
	wait_for_catchup($node, $name);
	return;
}

foreach my $owner ('low', $superuser)
{
	my $whose  = $owner eq 'low' ? "a low role's" : "a superuser's";
	my $offset = -s $node->logfile;
	my $names  = '{' . join(',', @attacking) . '}';

	{
		# a session of its own: SET ROLE could be undone in it
		local $ENV{PGUSER} = 'low' if $owner eq 'low';
		$node->safe_psql('postgres',
			"SELECT mariadb_sync.create_subscription('all', 'source', '$names', '{\"apply_workers\": 2}')"
		);
	}
	wait_for_catchup($node, 'all');
	stream_all('all');

	# Together: the apply worker, which looks at keys, is nobody in particular.
	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('all')});
	wait_for_state($node, 'all', 'stopped');
	$maria->sql(
		join(";\n",
			map { "INSERT INTO plain VALUES ($_, $_, 1)" } 1000 .. 1200),
		'shop');
	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('all')});
	wait_for_catchup($node, 'all');
	compare_as_low('shop.plain');

	my $seen = is_harmless($offset, "$whose subscription");
	is(join(', ', grep { !$seen->{$_} } @places),
		'', "$whose subscription: every place was tried");

	# Whoever calls our functions is nobody's puppet.
	as_low('UPDATE shop.plain SET v = 77 WHERE id = 5');
	as_low('DELETE FROM shop.dom WHERE id = 5');
	$offset = -s $node->logfile;
	is( $node->safe_psql(
			'postgres', q{
SET search_path = public;
SELECT sum(repaired) FROM mariadb_sync.verify('all', repair => true);
SELECT mariadb_sync.resync_table('all', 'shop.filled');
SELECT mariadb_sync.stop('all');
SHOW search_path;
SELECT count(*) FROM pg_class WHERE relname = 'left_behind';}),
		"2\n\n\npublic\n0",
		"$whose: called by a superuser, who keeps the search_path");
	is_harmless($offset, "$whose: called by a superuser");
	compare_as_low(qw(shop.plain shop.dom));
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('all')});
	as_low("TRUNCATE $_") foreach (@attacking);
}

# A partition of somebody else
$node->safe_psql('postgres', "ALTER TABLE shop.parted OWNER TO $superuser");
$stderr = '';
$node->psql(
	'postgres',
	q{SELECT mariadb_sync.create_subscription('parted', 'source', '{shop.parted}')},
	stderr => \$stderr);
like(
	$stderr,
	qr/partition "parted_all" of table "parted" does not belong to a superuser/,
	'a partition that is not the superuser\'s is not written to');
like($stderr, qr/HINT:  .*ALTER TABLE ... OWNER TO/, 'with what to do');

# Foreign keys and indexes that we make, while the owner prepares the table
$maria->sql(
	q{
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int, KEY (parent), FOREIGN KEY (parent) REFERENCES parent (id));
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1, 1);
}, 'shop');
my $offset = -s $node->logfile;
as_low(
	q{
BEGIN;
SELECT mariadb_sync.create_subscription('keys', 'source', '{shop.parent,shop.child}');
SELECT mariadb_sync.pause_snapshot('keys');
CREATE INDEX ON shop.child ((parent + shop.bait('a constant in an index')));
CREATE INDEX ON shop.parent ((id + shop.bait('a constant in an index')));
COMMIT;
});
as_low(q{SELECT mariadb_sync.resume_snapshot('keys')});
wait_for_catchup($node, 'keys');
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 AND bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'shop.child'::regclass AND contype = 'f'}
) or die 'there is no foreign key';
is_harmless($offset, 'indexes and foreign keys');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('keys')});

# A session of the owner, with types of its own before PostgreSQL's
$maria->sql(
	'CREATE TABLE days (id date PRIMARY KEY); INSERT INTO days VALUES (curdate())',
	'shop');
as_low(
	q{SELECT mariadb_sync.create_subscription('days', 'source', '{shop.days}')}
);
wait_for_catchup($node, 'days');
$node->safe_psql(
	'postgres', q{
INSERT INTO mariadb_sync.verified_range
SELECT subid, 'shop', 'days', '2020-01-01', '2020-01-02', 0, '0-1-1' FROM mariadb_sync.subscription
WHERE name = 'days'});
$offset = -s $node->logfile;
as_low(
	q{
CREATE DOMAIN pg_temp.date AS pg_catalog.date CHECK (shop.attack('left: a domain') = 0);
CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (shop.attack('left: a domain') = 0);
CREATE DOMAIN pg_temp.regclass AS pg_catalog.regclass CHECK (shop.attack('left: a domain') = 0);
CREATE TEMP TABLE pg_constraint (oid oid);
SELECT * FROM mariadb_sync.verify('days', resume => true);
SELECT mariadb_sync.stop('days');});
is_harmless($offset, 'temporary types');
wait_for_state($node, 'days', 'stopped');

# What a source may say in a CHECK
$node->safe_psql(
	'postgres', q{
UPDATE mariadb_sync.subscription_table SET source_schema = jsonb_set(source_schema, '{checks}', '[
	{"name": "c1", "clause": "query_to_xml(''ALTER ROLE low SUPERUSER'', true, true, '''') is not null"},
	{"name": "c2", "clause": "true), ADD COLUMN smuggled int, ADD CHECK (true"},
	{"name": "c3", "clause": "pg_read_file(''PG_VERSION'') <> ''''"},
	{"name": "c4", "clause": "`id` > ''2000-01-01''"}]') WHERE source_table = 'days';
SELECT mariadb_sync.start('days');
});
wait_for_catchup($node, 'days');
my $report = $node->safe_psql('postgres',
	q{SELECT step || ': ' || detail FROM mariadb_sync.promote('days')});
like(
	$report,
	qr/not made: .*query_to_xml\(\) is not made use of/,
	'a CHECK of the source with a function that runs SQL is not made');
like(
	$report,
	qr/not made: .*not a single constraint/,
	'nor one that ends, and goes on as something else');
like($report, qr/not made: .*pg_read_file\(\)/, 'nor one that reads files');
is( $node->safe_psql(
		'postgres', q{
SELECT conname FROM pg_constraint WHERE conrelid = 'shop.days'::regclass AND contype = 'c';
SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.days'::regclass AND attname = 'smuggled';}
	),
	"c4\n0",
	'one that only compares is made, and nothing else');
is(is_superuser(), 'f', 'and nobody has gained anything');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('days')});

###########################################################################
# Rights that are taken away later
###########################################################################

$maria->sql(
	'CREATE TABLE rights (id int PRIMARY KEY); INSERT INTO rights VALUES (1)',
	'shop');
as_low(
	q{SELECT mariadb_sync.create_subscription('rights', 'source', '{shop.rights}')}
);
wait_for_catchup($node, 'rights');
my $next = 2;
foreach my $case (
	[
		"ALTER TABLE shop.rights OWNER TO $superuser",
		'ALTER TABLE shop.rights OWNER TO low',
		qr/role "low" may not write to table "rights"/
	],
	[
		'ALTER TABLE shop.rights ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
		'ALTER TABLE shop.rights DISABLE ROW LEVEL SECURITY',
		qr/has row-level security enabled for role "low"/
	],
	[
		'REVOKE USAGE ON FOREIGN SERVER source FROM low',
		'GRANT USAGE ON FOREIGN SERVER source TO low',
		qr/permission denied for foreign server source/
	])
{
	my ($take, $give, $error) = @$case;
	$node->safe_psql('postgres', $take);
	$maria->sql('INSERT INTO rights VALUES (' . $next++ . ')', 'shop');
	wait_for_state($node, 'rights', 'error');
	like(view_value($node, 'rights', 'last_error'), $error, "$take: refused");
	$node->safe_psql('postgres', "$give; SELECT mariadb_sync.start('rights')");
	wait_for_catchup($node, 'rights');
}
compare_as_low('shop.rights');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('rights')});

$node->stop;
$maria->stop;
done_testing();
