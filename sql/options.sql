--
-- Options of servers, user mappings and subscriptions, and table patterns:
-- what is refused, and what the refusal says
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mariadb_sync;
RESET client_min_messages;

-- servers
CREATE SERVER source FOREIGN DATA WRAPPER mariadb_sync
	OPTIONS (host '127.0.0.1', port '1', ssl_mode 'disable', connect_timeout '2',
			 read_timeout '1 min', heartbeat_period '2.5', compress 'off',
			 server_id '4294967295', ssl_ca '/ca', ssl_cert '/cert', ssl_key '/key',
			 ssl_cipher 'x', unix_socket '/s', default_file '/f');
ALTER SERVER source
	OPTIONS (DROP unix_socket, DROP default_file, DROP ssl_ca, DROP ssl_cert,
			 DROP ssl_key, DROP ssl_cipher, DROP server_id);
ALTER SERVER source OPTIONS (ADD hots 'localhost');
ALTER SERVER source OPTIONS (ADD username 'repl');
ALTER SERVER source OPTIONS (ADD nothing_like_it 'x');
ALTER SERVER source OPTIONS (SET host '');
ALTER SERVER source OPTIONS (SET port '0');
ALTER SERVER source OPTIONS (SET port '65536');
ALTER SERVER source OPTIONS (SET port '3306x');
ALTER SERVER source OPTIONS (SET port '');
ALTER SERVER source OPTIONS (SET ssl_mode 'maybe');
ALTER SERVER source OPTIONS (SET compress 'perhaps');
ALTER SERVER source OPTIONS (SET connect_timeout '0');
ALTER SERVER source OPTIONS (SET connect_timeout '-1');
ALTER SERVER source OPTIONS (SET connect_timeout '1 week');
ALTER SERVER source OPTIONS (SET heartbeat_period '1us');
ALTER SERVER source OPTIONS (SET read_timeout '2');
ALTER SERVER source OPTIONS (ADD server_id '0');
ALTER SERVER source OPTIONS (ADD server_id '4294967296');
ALTER SERVER source OPTIONS (SET ssl_mode 'Verify-Full');
ALTER SERVER source OPTIONS (SET ssl_mode 'disable', SET read_timeout '3000ms');

-- the wrapper itself has none
ALTER FOREIGN DATA WRAPPER mariadb_sync OPTIONS (ADD host 'x');

-- user mappings
CREATE USER MAPPING FOR CURRENT_USER SERVER source OPTIONS (host 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER source OPTIONS (user 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER source
	OPTIONS (username 'repl', password 'secret', password_file '/secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER source
	OPTIONS (username 'repl', password '');

-- subscriptions: the source is not there, so what is valid ends at it
\set VERBOSITY terse
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{
	"enabled": true, "copy_data": false, "start_gtid": "0-1-100,5-1-7",
	"create_tables": false, "fillfactor": 90,
	"schema_map": {"shop": "Shop", "crm": "crm"}, "ddl": "ignore",
	"on_error": "retry", "on_conflict": "apply", "publish": "insert, delete",
	"snapshot_workers": 16, "apply_workers": 0, "synchronous_commit": true,
	"commit_max_transactions": 1, "commit_max_rows": "1000",
	"commit_max_delay": "1.5 s", "run_as_owner": false,
	"zero_date": "-infinity", "nul_byte": "strip",
	"tinyint1_as_boolean": true, "enum_as": "enum", "json_as": "jsonb", "unsigned_bigint_as": "bigint",
	"untranslatable": "replace"}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{
	"enabled": "off", "publish": ["insert", "update"], "commit_max_delay": 0,
	"fillfactor": null, "schema_map": null, "ddl": null, "start_gtid": null}');
\set VERBOSITY default
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', o::jsonb)
	FROM (VALUES ('[]')) AS v (o);
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{"copydata": true}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{"nothing_like_it": 1}');

-- bad values, one after the other
CREATE FUNCTION try(options jsonb) RETURNS TABLE (code text, message text, detail text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM mariadb_sync.create_subscription('sub', 'source', '{shop.*}', options);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	code := SQLSTATE;
	RETURN NEXT;
END $$;
\x
SELECT t.* FROM unnest(ARRAY[
	'{"enabled": "perhaps"}',
	'{"copy_data": 1}',
	'{"start_gtid": "0-1", "copy_data": false}',
	'{"start_gtid": 5, "copy_data": false}',
	'{"start_gtid": "0-1-1"}',
	'{"fillfactor": 9}',
	'{"fillfactor": 101}',
	'{"fillfactor": 50.5}',
	'{"fillfactor": "x"}',
	'{"fillfactor": {}}',
	'{"schema_map": "shop"}',
	'{"schema_map": {"shop": ""}}',
	'{"schema_map": {"shop": 1}}',
	'{"schema_map": {"shop": "a234567890b234567890c234567890d234567890e234567890f234567890g234"}}',
	'{"ddl": "do it"}',
	'{"on_error": "cry"}',
	'{"on_error": "quarantine"}',
	'{"on_error": 1}',
	'{"on_conflict": true}',
	'{"publish": "insert,upsert"}',
	'{"publish": ["insert", 1]}',
	'{"publish": 1}',
	'{"snapshot_workers": 0}',
	'{"snapshot_workers": 17}',
	'{"apply_workers": 33}',
	'{"apply_workers": -1}',
	'{"synchronous_commit": "remote_apply"}',
	'{"commit_max_transactions": 0}',
	'{"commit_max_rows": 99999999999}',
	'{"commit_max_delay": "soon"}',
	'{"commit_max_delay": -1}',
	'{"commit_max_delay": "2 h"}',
	'{"zero_date": "never"}',
	'{"nul_byte": "keep"}',
	'{"tinyint1_as_boolean": "2"}',
	'{"untranslatable": "skip"}',
	'{"enum_as": "int"}',
	'{"json_as": "xml"}']::jsonb[]) o, try(o) t;
\x
DROP FUNCTION try;

-- patterns
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{.orders}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*,""}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{!.x}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{!shop.x}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{}');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*,NULL}');
SELECT * FROM mariadb_sync.check_source('source', '{shop}');

SET client_min_messages = warning;
DROP SERVER source CASCADE;
DROP EXTENSION mariadb_sync;
