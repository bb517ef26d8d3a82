--
-- Functions of a session, as far as they go without a source
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mariadb_sync;
RESET client_min_messages;

-- nothing there yet
SELECT * FROM mariadb_sync.pg_stat_mariadb_sync;
SELECT * FROM mariadb_sync.pg_stat_mariadb_sync_tables;
SELECT * FROM mariadb_sync.pg_stat_progress_mariadb_sync;
SELECT * FROM mariadb_sync._live();
SELECT * FROM mariadb_sync._live_copies();
SELECT mariadb_sync.alter_subscription('sub', '{}');
SELECT mariadb_sync.start('sub');
SELECT mariadb_sync.stop('sub');
SELECT mariadb_sync.reset_stats('sub');
SELECT mariadb_sync.health('sub');
SELECT mariadb_sync.wait_for_catchup('sub');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-1');
SELECT mariadb_sync.wait_for_gtid(NULL, '0-1-1') IS NULL;
SELECT mariadb_sync.wait_for_catchup(NULL) IS NULL;
SELECT mariadb_sync.drop_subscription('sub');
SELECT mariadb_sync.drop_subscription('sub', if_exists => true);

-- servers that will not do
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER other FOREIGN DATA WRAPPER other;
SELECT mariadb_sync.create_subscription('sub', 'nowhere', '{shop.*}');
SELECT mariadb_sync.create_subscription('sub', 'other', '{shop.*}');
SELECT * FROM mariadb_sync.check_source('nowhere');
DROP SERVER other;
DROP FOREIGN DATA WRAPPER other;

CREATE SERVER source FOREIGN DATA WRAPPER mariadb_sync
	OPTIONS (host '127.0.0.1', port '1');
CREATE ROLE regress_mariadb_sync SUPERUSER;
SET ROLE regress_mariadb_sync;
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
CREATE USER MAPPING FOR CURRENT_USER SERVER source;
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
RESET ROLE;
DROP OWNED BY regress_mariadb_sync;
DROP ROLE regress_mariadb_sync;

CREATE USER MAPPING FOR CURRENT_USER SERVER source
	OPTIONS (username 'repl', password_file '/does/not/exist');
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
ALTER USER MAPPING FOR CURRENT_USER SERVER source
	OPTIONS (DROP password_file, ADD password 'secret');

-- a server that does not answer
SELECT mariadb_sync.create_subscription('', 'source', '{shop.*}');
\set VERBOSITY terse
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
\set VERBOSITY default
SELECT check_name, severity, message
	FROM mariadb_sync.check_source('source');

-- a subscription that was never connected
INSERT INTO mariadb_sync.subscription (name, owner, server, enabled, tables, server_id)
	VALUES ('sub', CURRENT_USER::regrole, 'source', false, '{shop.*}', 12345);
SELECT pg_replication_origin_create(format('mariadb_sync_%s_%s', d.oid, s.subid)) > 0 AS created
	FROM pg_database d, mariadb_sync.subscription s WHERE d.datname = current_database();
INSERT INTO mariadb_sync.subscription_stat (subid, inserts)
	SELECT subid, 5 FROM mariadb_sync.subscription;
INSERT INTO mariadb_sync.gtid_position (subid, gtid)
	SELECT subid, '0-1-100,7-1-3' FROM mariadb_sync.subscription;
INSERT INTO mariadb_sync.subscription_table
	(subid, source_db, source_table, state, rows_total, rows_done, source_schema)
	SELECT subid, 'shop', n, s, 100, d, '{}' FROM mariadb_sync.subscription,
		(VALUES ('a', 'ready', 120), ('b', 'pending', 0)) v (n, s, d);
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
SELECT subscription, pid, state, applied_gtid, inserts, updates, lag
	FROM mariadb_sync.pg_stat_mariadb_sync;
SELECT subscription, source_table, state FROM mariadb_sync.pg_stat_mariadb_sync_tables
	ORDER BY 2;
SELECT jsonb_pretty(mariadb_sync.health('sub'));

SELECT mariadb_sync.alter_subscription('sub', '{"commit_max_rows": 50, "ddl": "ignore"}');
SELECT mariadb_sync.alter_subscription('sub', '{"ddl": null, "zero_date": "epoch"}');
SELECT options FROM mariadb_sync.subscription;
SELECT mariadb_sync.alter_subscription('sub', '{"zero_date": "x"}');
SELECT mariadb_sync.alter_subscription('sub', '{"zero_dates": null}');
SELECT mariadb_sync.alter_subscription('sub', '{"enabled": true}');
SELECT mariadb_sync.alter_subscription('sub', '{"copy_data": false}');
SELECT mariadb_sync.alter_subscription('sub', '[]');
SELECT options FROM mariadb_sync.subscription;

SELECT mariadb_sync.reset_stats('sub');
SELECT inserts, stats_reset IS NOT NULL AS reset FROM mariadb_sync.pg_stat_mariadb_sync;

-- its tables, as far as that goes without a source
SELECT mariadb_sync.add_table('sub', NULL);
SELECT mariadb_sync.add_table('nosub', 'shop.orders');
SELECT mariadb_sync.add_table('sub', 'orders');
SELECT mariadb_sync.add_table('sub', '.orders');
SELECT mariadb_sync.remove_table('sub', 'shop.');
SELECT mariadb_sync.remove_table('sub', 'shop.nothing');
SELECT mariadb_sync.resync_table('sub', 'shop.nothing');

-- waiting for what does not run
SELECT mariadb_sync.wait_for_catchup('sub', '1 s');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-101', '1 s');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-100,7-1-2', '1 s');
SELECT mariadb_sync.wait_for_gtid('sub', 'x');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-1', '-1 s');

-- the transaction decides
BEGIN;
SELECT mariadb_sync.start('sub');
SELECT enabled FROM mariadb_sync.subscription;
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-101');
ROLLBACK;
BEGIN;
SELECT mariadb_sync.start('sub');
PREPARE TRANSACTION 'x';
BEGIN;
SAVEPOINT a;
SELECT mariadb_sync.start('sub');
ROLLBACK TO a;
SELECT mariadb_sync.alter_subscription('sub', '{"ddl": "stop"}');
COMMIT;
SELECT enabled, options FROM mariadb_sync.subscription;
SELECT state FROM mariadb_sync.pg_stat_mariadb_sync;

-- a worker that cannot connect is stopped and dropped all the same
SELECT mariadb_sync.start('sub');
SELECT state IN ('starting', 'retrying') AS trying FROM mariadb_sync.pg_stat_mariadb_sync;
SELECT mariadb_sync.stop('sub');
SELECT mariadb_sync.start('sub');
SELECT mariadb_sync.wait_for_gtid('sub', '0-1-101', '10 ms');
BEGIN;
SELECT mariadb_sync.drop_subscription('sub');
ROLLBACK;
SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync;
SELECT mariadb_sync.drop_subscription('sub');
SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync;
-- a worker that was being started finds out by itself
DO $$
BEGIN
	FOR i IN 1..1000 LOOP
		EXIT WHEN NOT EXISTS (SELECT FROM mariadb_sync._live());
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
SELECT count(*) FROM mariadb_sync._live();
SELECT (SELECT count(*) FROM mariadb_sync.subscription_table) +
	(SELECT count(*) FROM mariadb_sync.subscription_stat) +
	(SELECT count(*) FROM mariadb_sync.gtid_position) +
	(SELECT count(*) FROM pg_replication_origin) AS left_over;

-- the trigger is no function to be called
SELECT mariadb_sync.invalidate();

-- writing in a transaction that must not
BEGIN READ ONLY;
SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}');
ROLLBACK;

SET client_min_messages = warning;
DROP SERVER source CASCADE;
DROP EXTENSION mariadb_sync;
