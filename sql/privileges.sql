--
-- Who may do what
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mariadb_sync;
RESET client_min_messages;

CREATE ROLE regress_ms_nobody;
CREATE ROLE regress_ms_owner;
CREATE ROLE regress_ms_other;
CREATE ROLE regress_ms_member IN ROLE regress_ms_owner;
CREATE ROLE regress_ms_monitor IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA mariadb_sync
	TO regress_ms_nobody, regress_ms_owner, regress_ms_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mariadb_sync
	TO regress_ms_owner, regress_ms_other, regress_ms_monitor;

CREATE SERVER source FOREIGN DATA WRAPPER mariadb_sync
	OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR regress_ms_owner SERVER source
	OPTIONS (username 'repl', password 'secret');

-- PUBLIC can do nothing
SELECT p.oid::regprocedure FROM pg_proc p
	WHERE pronamespace = 'mariadb_sync'::regnamespace
		AND has_function_privilege('public', oid, 'EXECUTE');
SELECT c.oid::regclass FROM pg_class c
	WHERE relnamespace = 'mariadb_sync'::regnamespace AND relkind IN ('r', 'v')
		AND has_table_privilege('public', oid,
			'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');
SET ROLE regress_ms_nobody;
SELECT * FROM mariadb_sync.check_source('source');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
SELECT mariadb_sync.alter_subscription('sub', '{}');
SELECT mariadb_sync.drop_subscription('sub');
SELECT mariadb_sync.start('sub');
SELECT mariadb_sync.stop('sub');
SELECT mariadb_sync.health('sub');
SELECT mariadb_sync.reset_stats('sub');
SELECT mariadb_sync.wait_for_catchup('sub');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-1');
SELECT * FROM mariadb_sync._live();
SELECT * FROM mariadb_sync.pg_stat_mariadb_sync;
SELECT * FROM mariadb_sync.subscription;
RESET ROLE;

-- EXECUTE is not enough: the server has to be usable
SET ROLE regress_ms_owner;
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
SELECT * FROM mariadb_sync.check_source('source');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER source TO regress_ms_owner, regress_ms_other;
SET ROLE regress_ms_other;
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');

-- files are not for everybody
CREATE USER MAPPING FOR regress_ms_other SERVER source
	OPTIONS (username 'repl', password_file '/etc/passwd');
RESET ROLE;
CREATE ROLE regress_ms_reader IN ROLE pg_read_server_files;
GRANT USAGE ON FOREIGN SERVER source TO regress_ms_reader;
SET ROLE regress_ms_reader;
CREATE USER MAPPING FOR regress_ms_reader SERVER source
	OPTIONS (username 'repl', password_file '/does/not/exist');
RESET ROLE;
GRANT USAGE ON FOREIGN DATA WRAPPER mariadb_sync TO regress_ms_other;
GRANT CREATE ON SCHEMA public TO regress_ms_other;
SET ROLE regress_ms_other;
CREATE SERVER mine FOREIGN DATA WRAPPER mariadb_sync OPTIONS (default_file '/etc/my.cnf');
-- nor is the operating system's user over a socket
CREATE SERVER mine FOREIGN DATA WRAPPER mariadb_sync OPTIONS (unix_socket '/does/not/exist');
CREATE USER MAPPING FOR CURRENT_USER SERVER mine OPTIONS (username 'root');
SELECT mariadb_sync.create_subscription('sub', 'mine', '{shop.*}');
RESET ROLE;

SET ROLE regress_ms_owner;
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{"run_as_owner": false}');
\set VERBOSITY terse
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
\set VERBOSITY default
RESET ROLE;

-- a password is seen by nobody who may not
SET ROLE regress_ms_other;
SELECT umoptions FROM pg_user_mappings
	WHERE srvname = 'source' AND usename = 'regress_ms_owner';
RESET ROLE;

-- only the owner, and who has the owner's privileges, may change it
INSERT INTO mariadb_sync.subscription (name, owner, server, enabled, tables, server_id)
	VALUES ('sub', 'regress_ms_owner', 'source', false, '{shop.*}', 12345);
SET ROLE regress_ms_other;
SELECT mariadb_sync.alter_subscription('sub', '{}');
SELECT mariadb_sync.drop_subscription('sub');
SELECT mariadb_sync.drop_subscription('sub', if_exists => true);
SELECT mariadb_sync.start('sub');
SELECT mariadb_sync.stop('sub');
SELECT mariadb_sync.reset_stats('sub');
SELECT mariadb_sync.health('sub');
SELECT mariadb_sync.wait_for_catchup('sub');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-1');
SELECT mariadb_sync.pause_snapshot('sub');
SELECT mariadb_sync.resume_snapshot('sub');
SELECT mariadb_sync.add_table('sub', 'shop.t');
SELECT mariadb_sync.remove_table('sub', 'shop.t');
SELECT mariadb_sync.resync_table('sub', 'shop.t');
SELECT mariadb_sync.skip_transaction('sub', '0-1-1');
SELECT mariadb_sync.retry_quarantine('sub');
SELECT mariadb_sync.verify('sub');
SELECT mariadb_sync.verify('sub', repair => true);
SELECT mariadb_sync.promote('sub');
SELECT * FROM mariadb_sync.pg_stat_mariadb_sync;
RESET ROLE;

SET ROLE regress_ms_owner;
SELECT mariadb_sync.alter_subscription('sub', '{"ddl": "ignore"}');
SELECT mariadb_sync.alter_subscription('sub', '{"run_as_owner": false}');
SELECT mariadb_sync.stop('sub');
SELECT mariadb_sync.health('sub') ->> 'status' AS status;
-- but not through our tables
SELECT * FROM mariadb_sync.subscription;
UPDATE mariadb_sync.subscription SET options = '{"run_as_owner": false}';
RESET ROLE;
SET ROLE regress_ms_member;
SELECT mariadb_sync.alter_subscription('sub', '{"ddl": "stop"}');
RESET ROLE;
SELECT options FROM mariadb_sync.subscription;

-- a monitor looks and does not touch
SET ROLE regress_ms_monitor;
SELECT subscription, state FROM mariadb_sync.pg_stat_mariadb_sync;
SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync_tables;
SELECT count(*) FROM mariadb_sync.pg_stat_progress_mariadb_sync;
SELECT mariadb_sync.health('sub') ->> 'status' AS status;
SELECT mariadb_sync.stop('sub');
SELECT * FROM mariadb_sync.subscription;
RESET ROLE;

SET ROLE regress_ms_owner;
SELECT mariadb_sync.drop_subscription('sub');
RESET ROLE;

SET client_min_messages = warning;
DROP SERVER source CASCADE;
DROP SERVER mine CASCADE;
DROP OWNED BY regress_ms_nobody, regress_ms_owner, regress_ms_other,
	regress_ms_member, regress_ms_monitor, regress_ms_reader;
DROP ROLE regress_ms_nobody, regress_ms_owner, regress_ms_other,
	regress_ms_member, regress_ms_monitor, regress_ms_reader;
DROP EXTENSION mariadb_sync;
