-- The decoders, value by value.  Bytes and texts come from a MariaDB 10.11:
-- image is what its binlog has, protocol what a prepared statement returns,
-- mariadb what it prints.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mariadb_sync;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';

CREATE TEMP TABLE sample (
	id serial,
	grp text,
	column_type text,
	wire_type int,
	wire_meta int,
	charset text,
	mariadb text,
	image bytea,
	protocol bytea);

-- The value, or the error, of either dialect.
CREATE FUNCTION pg_temp.decode(s sample, dialect text, options jsonb DEFAULT '{}',
	target regtype DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN mariadb_sync._decode_value(s.column_type, s.wire_type, s.wire_meta,
		dialect, CASE dialect WHEN 'image' THEN s.image ELSE s.protocol END,
		s.charset, options, target);
EXCEPTION WHEN OTHERS THEN
	RETURN format('%s: %s', sqlstate, sqlerrm);
END $$;

-- Whole numbers
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('int', 'tinyint(4)', 1, 0, NULL, '-128', '\x80', '\x80'),
('int', 'tinyint(4)', 1, 0, NULL, '-1', '\xff', '\xff'),
('int', 'tinyint(4)', 1, 0, NULL, '0', '\x00', '\x00'),
('int', 'tinyint(4)', 1, 0, NULL, '127', '\x7f', '\x7f'),
('int', 'tinyint(3) unsigned', 1, 0, NULL, '0', '\x00', '\x00'),
('int', 'tinyint(3) unsigned', 1, 0, NULL, '128', '\x80', '\x80'),
('int', 'tinyint(3) unsigned', 1, 0, NULL, '255', '\xff', '\xff'),
('int', 'smallint(6)', 2, 0, NULL, '-32768', '\x0080', '\x0080'),
('int', 'smallint(6)', 2, 0, NULL, '-1', '\xffff', '\xffff'),
('int', 'smallint(6)', 2, 0, NULL, '0', '\x0000', '\x0000'),
('int', 'smallint(6)', 2, 0, NULL, '32767', '\xff7f', '\xff7f'),
('int', 'smallint(5) unsigned', 2, 0, NULL, '0', '\x0000', '\x0000'),
('int', 'smallint(5) unsigned', 2, 0, NULL, '32768', '\x0080', '\x0080'),
('int', 'smallint(5) unsigned', 2, 0, NULL, '65535', '\xffff', '\xffff'),
('int', 'mediumint(9)', 9, 0, NULL, '-8388608', '\x000080', '\x000080ff'),
('int', 'mediumint(9)', 9, 0, NULL, '-1', '\xffffff', '\xffffffff'),
('int', 'mediumint(9)', 9, 0, NULL, '0', '\x000000', '\x00000000'),
('int', 'mediumint(9)', 9, 0, NULL, '8388607', '\xffff7f', '\xffff7f00'),
('int', 'mediumint(8) unsigned', 9, 0, NULL, '0', '\x000000', '\x00000000'),
('int', 'mediumint(8) unsigned', 9, 0, NULL, '8388608', '\x000080', '\x00008000'),
('int', 'mediumint(8) unsigned', 9, 0, NULL, '16777215', '\xffffff', '\xffffff00'),
('int', 'int(11)', 3, 0, NULL, '-2147483648', '\x00000080', '\x00000080'),
('int', 'int(11)', 3, 0, NULL, '-1', '\xffffffff', '\xffffffff'),
('int', 'int(11)', 3, 0, NULL, '0', '\x00000000', '\x00000000'),
('int', 'int(11)', 3, 0, NULL, '2147483647', '\xffffff7f', '\xffffff7f'),
('int', 'int(10) unsigned', 3, 0, NULL, '0', '\x00000000', '\x00000000'),
('int', 'int(10) unsigned', 3, 0, NULL, '2147483648', '\x00000080', '\x00000080'),
('int', 'int(10) unsigned', 3, 0, NULL, '4294967295', '\xffffffff', '\xffffffff'),
('int', 'bigint(20)', 8, 0, NULL, '-9223372036854775808', '\x0000000000000080', '\x0000000000000080'),
('int', 'bigint(20)', 8, 0, NULL, '-1', '\xffffffffffffffff', '\xffffffffffffffff'),
('int', 'bigint(20)', 8, 0, NULL, '0', '\x0000000000000000', '\x0000000000000000'),
('int', 'bigint(20)', 8, 0, NULL, '9223372036854775807', '\xffffffffffffff7f', '\xffffffffffffff7f'),
('int', 'bigint(20) unsigned', 8, 0, NULL, '0', '\x0000000000000000', '\x0000000000000000'),
('int', 'bigint(20) unsigned', 8, 0, NULL, '9223372036854775808', '\x0000000000000080', '\x0000000000000080'),
('int', 'bigint(20) unsigned', 8, 0, NULL, '18446744073709551615', '\xffffffffffffffff', '\xffffffffffffffff'),
('int', 'tinyint(1)', 1, 0, NULL, '0', '\x00', '\x00'),
('int', 'tinyint(1)', 1, 0, NULL, '1', '\x01', '\x01'),
('int', 'tinyint(1)', 1, 0, NULL, '2', '\x02', '\x02'),
('int', 'int(10) unsigned zerofill', 3, 0, NULL, '0000000042', '\x2a000000', '\x2a000000');

-- FLOAT and DOUBLE; minus zero and the smallest DOUBLE came from a client
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('real', 'float', 4, 4, NULL, '0.10000000149011612', '\xcdcccc3d', '\xcdcccc3d'),
('real', 'float', 4, 4, NULL, '16777216', '\x0000804b', '\x0000804b'),
('real', 'float', 4, 4, NULL, '3.4028234663852886e38', '\xffff7f7f', '\xffff7f7f'),
('real', 'float', 4, 4, NULL, '1.1754943508222875e-38', '\x00008000', '\x00008000'),
('real', 'float', 4, 4, NULL, '0', '\x00000000', '\x00000000'),
('real', 'double', 5, 8, NULL, '1e308', '\xa0c8eb85f3cce17f', '\xa0c8eb85f3cce17f'),
('real', 'double', 5, 8, NULL, '2.2250738585072014e-308', '\x0000000000001000', '\x0000000000001000'),
('real', 'double', 5, 8, NULL, '0.1', '\x9a9999999999b93f', '\x9a9999999999b93f'),
('real', 'double', 5, 8, NULL, '-1.5', '\x000000000000f8bf', '\x000000000000f8bf');

-- DECIMAL
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('decimal', 'decimal(1,0)', 246, 1, NULL, '9', '\x89', '\x0139'),
('decimal', 'decimal(1,0)', 246, 1, NULL, '-9', '\x76', '\x022d39'),
('decimal', 'decimal(1,0)', 246, 1, NULL, '0', '\x80', '\x0130'),
('decimal', 'decimal(9,9)', 246, 2313, NULL, '0.123456789', '\x875bcd15', '\x0b302e313233343536373839'),
('decimal', 'decimal(9,9)', 246, 2313, NULL, '-0.999999999', '\x44653600', '\x0c2d302e393939393939393939'),
('decimal', 'decimal(9,9)', 246, 2313, NULL, '0.000000000', '\x80000000', '\x0b302e303030303030303030'),
('decimal', 'decimal(10,3)', 246, 778, NULL, '1234567.891', '\x8012d687037b', '\x0b313233343536372e383931'),
('decimal', 'decimal(10,3)', 246, 778, NULL, '-1234567.891', '\x7fed2978fc84', '\x0c2d313233343536372e383931'),
('decimal', 'decimal(10,3)', 246, 778, NULL, '-0.001', '\x7ffffffffffe', '\x062d302e303031'),
('decimal', 'decimal(10,3)', 246, 778, NULL, '0.000', '\x800000000000', '\x05302e303030'),
('decimal', 'decimal(18,9)', 246, 2322, NULL, '123456789.987654321', '\x875bcd153ade68b1', '\x133132333435363738392e393837363534333231'),
('decimal', 'decimal(18,9)', 246, 2322, NULL, '-999999999.999999999', '\x44653600c4653600', '\x142d3939393939393939392e393939393939393939'),
('decimal', 'decimal(38,0)', 246, 38, NULL, '99999999999999999999999999999999999999', '\xe33b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff', '\x263939393939393939393939393939393939393939393939393939393939393939393939393939'),
('decimal', 'decimal(38,0)', 246, 38, NULL, '-99999999999999999999999999999999999999', '\x1cc4653600c4653600c4653600c4653600', '\x272d3939393939393939393939393939393939393939393939393939393939393939393939393939'),
('decimal', 'decimal(38,0)', 246, 38, NULL, '1', '\x8000000000000000000000000000000001', '\x0131'),
('decimal', 'decimal(65,0)', 246, 65, NULL, '99999999999999999999999999999999999999999999999999999999999999999', '\xe33b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff', '\x413939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939'),
('decimal', 'decimal(65,30)', 246, 7745, NULL, '99999999999999999999999999999999999.999999999999999999999999999999', '\x85f5e0ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff03e7', '\x4239393939393939393939393939393939393939393939393939393939393939393939392e393939393939393939393939393939393939393939393939393939393939'),
('decimal', 'decimal(65,30)', 246, 7745, NULL, '-0.000000000000000000000000000001', '\x7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe', '\x212d302e303030303030303030303030303030303030303030303030303030303031'),
('decimal', 'decimal(65,30)', 246, 7745, NULL, '123.450000000000000000000000000000', '\x8000000000000000000000000000007b1ad2748000000000000000000000', '\x223132332e343530303030303030303030303030303030303030303030303030303030'),
('decimal', 'decimal(38,38)', 246, 9766, NULL, '0.12345678901234567890123456789012345678', '\x875bcd1500bc614e35b7bf87350e34c04e', '\x28302e3132333435363738393031323334353637383930313233343536373839303132333435363738'),
('decimal', 'decimal(10,2) unsigned zerofill', 246, 522, NULL, '00000001.50', '\x8000000132', '\x0b30303030303030312e3530'),
('decimal', 'decimal(10,2) unsigned zerofill', 246, 522, NULL, '00000000.00', '\x8000000000', '\x0b30303030303030302e3030');

-- YEAR, DATE, DATETIME, TIMESTAMP
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('date', 'year(4)', 13, 0, NULL, '0000', '\x00', '\x0000'),
('date', 'year(4)', 13, 0, NULL, '1901', '\x01', '\x6d07'),
('date', 'year(4)', 13, 0, NULL, '2155', '\xff', '\x6b08'),
('date', 'year(4)', 13, 0, NULL, '2024', '\x7c', '\xe807'),
('date', 'year(2)', 13, 0, NULL, '00', '\x00', '\x0000000000000000'),
('date', 'year(2)', 13, 0, NULL, '01', '\x01', '\x6d07000000000000'),
('date', 'year(2)', 13, 0, NULL, '70', '\x46', '\xb207000000000000'),
('date', 'year(2)', 13, 0, NULL, '69', '\xa9', '\x1508000000000000'),
('date', 'year(2)', 13, 0, NULL, '00', '\x64', '\xd007000000000000'),
('date', 'year(2)', 13, 0, NULL, '99', '\x63', '\xcf07000000000000'),
('date', 'date', 10, 0, NULL, '0000-00-00', '\x000000', '\x00'),
('date', 'date', 10, 0, NULL, '2024-00-00', '\x00d00f', '\x04e8070000'),
('date', 'date', 10, 0, NULL, '0000-00-00', '\x000000', '\x00'),
('date', 'date', 10, 0, NULL, '9999-12-31', '\x9f1f4e', '\x040f270c1f'),
('date', 'date', 10, 0, NULL, '0001-01-01', '\x210200', '\x0401000101'),
('date', 'date', 10, 0, NULL, '2024-02-29', '\x5dd00f', '\x04e807021d'),
('date', 'datetime', 18, 0, NULL, '9999-12-31 23:59:59', '\xfef3ff7efb', '\x070f270c1f173b3b'),
('date', 'datetime', 18, 0, NULL, '0001-01-01 00:00:00', '\x8003820000', '\x0401000101'),
('date', 'datetime', 18, 0, NULL, '0000-00-00 00:00:00', '\x8000000000', '\x00'),
('date', 'datetime(1)', 18, 1, NULL, '9999-12-31 23:59:59.9', '\xfef3ff7efb5a', '\x0b0f270c1f173b3ba0bb0d00'),
('date', 'datetime(1)', 18, 1, NULL, '0001-01-01 00:00:00.0', '\x800382000000', '\x0401000101'),
('date', 'datetime(1)', 18, 1, NULL, '0000-00-00 00:00:00.0', '\x800000000000', '\x00'),
('date', 'datetime(1)', 18, 1, NULL, '2024-00-00 01:02:03.6', '\x99b20010833c', '\x0be8070000010203c0270900'),
('date', 'datetime(2)', 18, 2, NULL, '9999-12-31 23:59:59.99', '\xfef3ff7efb63', '\x0b0f270c1f173b3b301b0f00'),
('date', 'datetime(2)', 18, 2, NULL, '0001-01-01 00:00:00.00', '\x800382000000', '\x0401000101'),
('date', 'datetime(2)', 18, 2, NULL, '0000-00-00 00:00:00.00', '\x800000000000', '\x00'),
('date', 'datetime(2)', 18, 2, NULL, '2024-00-00 01:02:03.65', '\x99b200108341', '\x0be807000001020310eb0900'),
('date', 'datetime(3)', 18, 3, NULL, '9999-12-31 23:59:59.999', '\xfef3ff7efb2706', '\x0b0f270c1f173b3b583e0f00'),
('date', 'datetime(3)', 18, 3, NULL, '0001-01-01 00:00:00.000', '\x80038200000000', '\x0401000101'),
('date', 'datetime(3)', 18, 3, NULL, '0000-00-00 00:00:00.000', '\x80000000000000', '\x00'),
('date', 'datetime(3)', 18, 3, NULL, '2024-00-00 01:02:03.654', '\x99b2001083198c', '\x0be8070000010203b0fa0900'),
('date', 'datetime(4)', 18, 4, NULL, '9999-12-31 23:59:59.9999', '\xfef3ff7efb270f', '\x0b0f270c1f173b3bdc410f00'),
('date', 'datetime(4)', 18, 4, NULL, '0001-01-01 00:00:00.0000', '\x80038200000000', '\x0401000101'),
('date', 'datetime(4)', 18, 4, NULL, '0000-00-00 00:00:00.0000', '\x80000000000000', '\x00'),
('date', 'datetime(4)', 18, 4, NULL, '2024-00-00 01:02:03.6543', '\x99b2001083198f', '\x0be8070000010203dcfb0900'),
('date', 'datetime(5)', 18, 5, NULL, '9999-12-31 23:59:59.99999', '\xfef3ff7efb0f4236', '\x0b0f270c1f173b3b36420f00'),
('date', 'datetime(5)', 18, 5, NULL, '0001-01-01 00:00:00.00000', '\x8003820000000000', '\x0401000101'),
('date', 'datetime(5)', 18, 5, NULL, '0000-00-00 00:00:00.00000', '\x8000000000000000', '\x00'),
('date', 'datetime(5)', 18, 5, NULL, '2024-00-00 01:02:03.65432', '\x99b200108309fbf0', '\x0be8070000010203f0fb0900'),
('date', 'datetime(6)', 18, 6, NULL, '9999-12-31 23:59:59.999999', '\xfef3ff7efb0f423f', '\x0b0f270c1f173b3b3f420f00'),
('date', 'datetime(6)', 18, 6, NULL, '0001-01-01 00:00:00.000000', '\x8003820000000000', '\x0401000101'),
('date', 'datetime(6)', 18, 6, NULL, '0000-00-00 00:00:00.000000', '\x8000000000000000', '\x00'),
('date', 'datetime(6)', 18, 6, NULL, '2024-00-00 01:02:03.654321', '\x99b200108309fbf1', '\x0be8070000010203f1fb0900'),
('date', 'timestamp', 17, 0, NULL, '1970-01-01 00:00:01', '\x00000001', '\x07b2070101000001'),
('date', 'timestamp', 17, 0, NULL, '0000-00-00 00:00:00', '\x00000000', '\x00'),
('date', 'timestamp', 17, 0, NULL, '2038-01-19 03:14:07', '\x7fffffff', '\x07f6070113030e07'),
('date', 'timestamp(1)', 17, 1, NULL, '1970-01-01 00:00:01.5', '\x0000000132', '\x0bb207010100000120a10700'),
('date', 'timestamp(1)', 17, 1, NULL, '0000-00-00 00:00:00.0', '\x0000000000', '\x00'),
('date', 'timestamp(1)', 17, 1, NULL, '2038-01-19 03:14:07.9', '\x7fffffff5a', '\x0bf6070113030e07a0bb0d00'),
('date', 'timestamp(2)', 17, 2, NULL, '1970-01-01 00:00:01.50', '\x0000000132', '\x0bb207010100000120a10700'),
('date', 'timestamp(2)', 17, 2, NULL, '0000-00-00 00:00:00.00', '\x0000000000', '\x00'),
('date', 'timestamp(2)', 17, 2, NULL, '2038-01-19 03:14:07.99', '\x7fffffff63', '\x0bf6070113030e07301b0f00'),
('date', 'timestamp(3)', 17, 3, NULL, '1970-01-01 00:00:01.500', '\x000000011388', '\x0bb207010100000120a10700'),
('date', 'timestamp(3)', 17, 3, NULL, '0000-00-00 00:00:00.000', '\x000000000000', '\x00'),
('date', 'timestamp(3)', 17, 3, NULL, '2038-01-19 03:14:07.999', '\x7fffffff2706', '\x0bf6070113030e07583e0f00'),
('date', 'timestamp(4)', 17, 4, NULL, '1970-01-01 00:00:01.5000', '\x000000011388', '\x0bb207010100000120a10700'),
('date', 'timestamp(4)', 17, 4, NULL, '0000-00-00 00:00:00.0000', '\x000000000000', '\x00'),
('date', 'timestamp(4)', 17, 4, NULL, '2038-01-19 03:14:07.9999', '\x7fffffff270f', '\x0bf6070113030e07dc410f00'),
('date', 'timestamp(5)', 17, 5, NULL, '1970-01-01 00:00:01.50000', '\x0000000107a120', '\x0bb207010100000120a10700'),
('date', 'timestamp(5)', 17, 5, NULL, '0000-00-00 00:00:00.00000', '\x00000000000000', '\x00'),
('date', 'timestamp(5)', 17, 5, NULL, '2038-01-19 03:14:07.99999', '\x7fffffff0f4236', '\x0bf6070113030e0736420f00'),
('date', 'timestamp(6)', 17, 6, NULL, '1970-01-01 00:00:01.500000', '\x0000000107a120', '\x0bb207010100000120a10700'),
('date', 'timestamp(6)', 17, 6, NULL, '0000-00-00 00:00:00.000000', '\x00000000000000', '\x00'),
('date', 'timestamp(6)', 17, 6, NULL, '2038-01-19 03:14:07.999999', '\x7fffffff0f423f', '\x0bf6070113030e073f420f00');

-- TIME
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('time', 'time', 19, 0, NULL, '838:59:59', '\xb46efb', '\x080022000000163b3b'),
('time', 'time', 19, 0, NULL, '-838:59:59', '\x4b9105', '\x080122000000163b3b'),
('time', 'time', 19, 0, NULL, '-00:00:01', '\x7fffff', '\x080100000000000001'),
('time', 'time', 19, 0, NULL, '00:00:00', '\x800000', '\x00'),
('time', 'time', 19, 0, NULL, '12:34:56', '\x80c8b8', '\x0800000000000c2238'),
('time', 'time(1)', 19, 1, NULL, '838:59:59.0', '\xb46efb00', '\x080022000000163b3b'),
('time', 'time(1)', 19, 1, NULL, '-838:59:59.0', '\x4b910500', '\x080122000000163b3b'),
('time', 'time(1)', 19, 1, NULL, '-00:00:01.5', '\x7ffffece', '\x0c010000000000000120a10700'),
('time', 'time(1)', 19, 1, NULL, '00:00:00.0', '\x80000000', '\x00'),
('time', 'time(1)', 19, 1, NULL, '12:34:56.9', '\x80c8b85a', '\x0c00000000000c2238a0bb0d00'),
('time', 'time(1)', 19, 1, NULL, '-00:00:00.1', '\x7ffffff6', '\x0c0100000000000000a0860100'),
('time', 'time(2)', 19, 2, NULL, '838:59:59.00', '\xb46efb00', '\x080022000000163b3b'),
('time', 'time(2)', 19, 2, NULL, '-838:59:59.00', '\x4b910500', '\x080122000000163b3b'),
('time', 'time(2)', 19, 2, NULL, '-00:00:01.50', '\x7ffffece', '\x0c010000000000000120a10700'),
('time', 'time(2)', 19, 2, NULL, '00:00:00.00', '\x80000000', '\x00'),
('time', 'time(2)', 19, 2, NULL, '12:34:56.99', '\x80c8b863', '\x0c00000000000c2238301b0f00'),
('time', 'time(2)', 19, 2, NULL, '-00:00:00.01', '\x7fffffff', '\x0c010000000000000010270000'),
('time', 'time(3)', 19, 3, NULL, '838:59:59.000', '\xb46efb0000', '\x080022000000163b3b'),
('time', 'time(3)', 19, 3, NULL, '-838:59:59.000', '\x4b91050000', '\x080122000000163b3b'),
('time', 'time(3)', 19, 3, NULL, '-00:00:01.500', '\x7ffffeec78', '\x0c010000000000000120a10700'),
('time', 'time(3)', 19, 3, NULL, '00:00:00.000', '\x8000000000', '\x00'),
('time', 'time(3)', 19, 3, NULL, '12:34:56.999', '\x80c8b82706', '\x0c00000000000c2238583e0f00'),
('time', 'time(3)', 19, 3, NULL, '-00:00:00.001', '\x7ffffffff6', '\x0c0100000000000000e8030000'),
('time', 'time(4)', 19, 4, NULL, '838:59:59.0000', '\xb46efb0000', '\x080022000000163b3b'),
('time', 'time(4)', 19, 4, NULL, '-838:59:59.0000', '\x4b91050000', '\x080122000000163b3b'),
('time', 'time(4)', 19, 4, NULL, '-00:00:01.5000', '\x7ffffeec78', '\x0c010000000000000120a10700'),
('time', 'time(4)', 19, 4, NULL, '00:00:00.0000', '\x8000000000', '\x00'),
('time', 'time(4)', 19, 4, NULL, '12:34:56.9999', '\x80c8b8270f', '\x0c00000000000c2238dc410f00'),
('time', 'time(4)', 19, 4, NULL, '-00:00:00.0001', '\x7fffffffff', '\x0c010000000000000064000000'),
('time', 'time(5)', 19, 5, NULL, '838:59:59.00000', '\xb46efb000000', '\x080022000000163b3b'),
('time', 'time(5)', 19, 5, NULL, '-838:59:59.00000', '\x4b9105000000', '\x080122000000163b3b'),
('time', 'time(5)', 19, 5, NULL, '-00:00:01.50000', '\x7ffffef85ee0', '\x0c010000000000000120a10700'),
('time', 'time(5)', 19, 5, NULL, '00:00:00.00000', '\x800000000000', '\x00'),
('time', 'time(5)', 19, 5, NULL, '12:34:56.99999', '\x80c8b80f4236', '\x0c00000000000c223836420f00'),
('time', 'time(5)', 19, 5, NULL, '-00:00:00.00001', '\x7ffffffffff6', '\x0c01000000000000000a000000'),
('time', 'time(6)', 19, 6, NULL, '838:59:59.000000', '\xb46efb000000', '\x080022000000163b3b'),
('time', 'time(6)', 19, 6, NULL, '-838:59:59.000000', '\x4b9105000000', '\x080122000000163b3b'),
('time', 'time(6)', 19, 6, NULL, '-00:00:01.500000', '\x7ffffef85ee0', '\x0c010000000000000120a10700'),
('time', 'time(6)', 19, 6, NULL, '00:00:00.000000', '\x800000000000', '\x00'),
('time', 'time(6)', 19, 6, NULL, '12:34:56.999999', '\x80c8b80f423f', '\x0c00000000000c22383f420f00'),
('time', 'time(6)', 19, 6, NULL, '-00:00:00.000001', '\x7fffffffffff', '\x0c010000000000000001000000');

-- The temporal formats before 10.1, which mysql56_temporal_format=OFF brings back
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('old', 'datetime /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59', '\x7787d105f15a0000', '\x070f270c1f173b3b'),
('old', 'datetime /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00', '\x0000000000000000', '\x00'),
('old', 'datetime /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05', '\x457c875418090000', '\x07e8030102030405'),
('old', 'timestamp /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01', '\x01000000', '\x07b2070101000001'),
('old', 'timestamp /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00', '\x00000000', '\x00'),
('old', 'timestamp /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07', '\xffffff7f', '\x07f6070113030e07'),
('old', 'time /* mariadb-5.3 */', 11, 0, NULL, '838:59:59', '\xa7f57f', '\x080022000000163b3b'),
('old', 'time /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59', '\x590a80', '\x080122000000163b3b'),
('old', 'time /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01', '\xffffff', '\x080100000000000001'),
('old', 'time /* mariadb-5.3 */', 11, 0, NULL, '00:00:00', '\x000000', '\x00'),
('old', 'time /* mariadb-5.3 */', 11, 0, NULL, '12:34:56', '\x40e201', '\x0800000000000c2238'),
('old', 'datetime(1) /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59.9', '\x0344d965ffff', '\x0b0f270c1f173b3ba0bb0d00'),
('old', 'datetime(1) /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00.0', '\x000000000000', '\x00'),
('old', 'datetime(1) /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05.1', '\x0053b118ed73', '\x0be8030102030405a0860100'),
('old', 'timestamp(1) /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01.5', '\x0000000105', '\x0bb207010100000120a10700'),
('old', 'timestamp(1) /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00.0', '\x0000000000', '\x00'),
('old', 'timestamp(1) /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07.9', '\x7fffffff09', '\x0bf6070113030e07a0bb0d00'),
('old', 'time(1) /* mariadb-5.3 */', 11, 0, NULL, '838:59:59.0', '\x0399c0b6', '\x080022000000163b3b'),
('old', 'time(1) /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59.0', '\x0000000a', '\x080122000000163b3b'),
('old', 'time(1) /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01.5', '\x01cce051', '\x0c010000000000000120a10700'),
('old', 'time(1) /* mariadb-5.3 */', 11, 0, NULL, '00:00:00.0', '\x01cce060', '\x00'),
('old', 'time(1) /* mariadb-5.3 */', 11, 0, NULL, '12:34:56.9', '\x01d3c9c9', '\x0c00000000000c2238a0bb0d00'),
('old', 'datetime(2) /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59.99', '\x20b07dfbffff', '\x0b0f270c1f173b3b301b0f00'),
('old', 'datetime(2) /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00.00', '\x000000000000', '\x00'),
('old', 'datetime(2) /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05.12', '\x0344eaf94680', '\x0be8030102030405c0d40100'),
('old', 'timestamp(2) /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01.50', '\x0000000132', '\x0bb207010100000120a10700'),
('old', 'timestamp(2) /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00.00', '\x0000000000', '\x00'),
('old', 'timestamp(2) /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07.99', '\x7fffffff63', '\x0bf6070113030e07301b0f00'),
('old', 'time(2) /* mariadb-5.3 */', 11, 0, NULL, '838:59:59.00', '\x2401871c', '\x080022000000163b3b'),
('old', 'time(2) /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59.00', '\x00000064', '\x080122000000163b3b'),
('old', 'time(2) /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01.50', '\x1200c32a', '\x0c010000000000000120a10700'),
('old', 'time(2) /* mariadb-5.3 */', 11, 0, NULL, '00:00:00.00', '\x1200c3c0', '\x00'),
('old', 'time(2) /* mariadb-5.3 */', 11, 0, NULL, '12:34:56.99', '\x1245e1e3', '\x0c00000000000c2238301b0f00'),
('old', 'datetime(3) /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59.999', '\x0146e4ebd7ffff', '\x0b0f270c1f173b3b583e0f00'),
('old', 'datetime(3) /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00.000', '\x00000000000000', '\x00'),
('old', 'datetime(3) /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05.123', '\x0020b12dbcc103', '\x0be803010203040578e00100'),
('old', 'timestamp(3) /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01.500', '\x0000000101f4', '\x0bb207010100000120a10700'),
('old', 'timestamp(3) /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00.000', '\x000000000000', '\x00'),
('old', 'timestamp(3) /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07.999', '\x7fffffff03e7', '\x0bf6070113030e07583e0f00'),
('old', 'time(3) /* mariadb-5.3 */', 11, 0, NULL, '838:59:59.000', '\x01680f4718', '\x080022000000163b3b'),
('old', 'time(3) /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59.000', '\x00000003e8', '\x080122000000163b3b'),
('old', 'time(3) /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01.500', '\x00b4079fa4', '\x0c010000000000000120a10700'),
('old', 'time(3) /* mariadb-5.3 */', 11, 0, NULL, '00:00:00.000', '\x00b407a580', '\x00'),
('old', 'time(3) /* mariadb-5.3 */', 11, 0, NULL, '12:34:56.999', '\x00b6bad2e7', '\x0c00000000000c2238583e0f00'),
('old', 'datetime(4) /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59.9999', '\x0cc4f1366fffff', '\x0b0f270c1f173b3bdc410f00'),
('old', 'datetime(4) /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00.0000', '\x00000000000000', '\x00'),
('old', 'datetime(4) /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05.1234', '\x0146ebc95f8a22', '\x0be803010203040508e20100'),
('old', 'timestamp(4) /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01.5000', '\x000000011388', '\x0bb207010100000120a10700'),
('old', 'timestamp(4) /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00.0000', '\x000000000000', '\x00'),
('old', 'timestamp(4) /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07.9999', '\x7fffffff270f', '\x0bf6070113030e07dc410f00'),
('old', 'time(4) /* mariadb-5.3 */', 11, 0, NULL, '838:59:59.0000', '\x0e1098c6f0', '\x080022000000163b3b'),
('old', 'time(4) /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59.0000', '\x0000002710', '\x080122000000163b3b'),
('old', 'time(4) /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01.5000', '\x07084c3c68', '\x0c010000000000000120a10700'),
('old', 'time(4) /* mariadb-5.3 */', 11, 0, NULL, '00:00:00.0000', '\x07084c7700', '\x00'),
('old', 'time(4) /* mariadb-5.3 */', 11, 0, NULL, '12:34:56.9999', '\x07234c3d0f', '\x0c00000000000c2238dc410f00'),
('old', 'datetime(5) /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59.99999', '\x7fb16c205fffff', '\x0b0f270c1f173b3b36420f00'),
('old', 'datetime(5) /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00.00000', '\x00000000000000', '\x00'),
('old', 'datetime(5) /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05.12345', '\x0cc535ddbb6559', '\x0be80301020304053ae20100'),
('old', 'timestamp(5) /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01.50000', '\x0000000100c350', '\x0bb207010100000120a10700'),
('old', 'timestamp(5) /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00.00000', '\x00000000000000', '\x00'),
('old', 'timestamp(5) /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07.99999', '\x7fffffff01869f', '\x0bf6070113030e0736420f00'),
('old', 'time(5) /* mariadb-5.3 */', 11, 0, NULL, '838:59:59.00000', '\x8ca5f7c560', '\x080022000000163b3b'),
('old', 'time(5) /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59.00000', '\x00000186a0', '\x080122000000163b3b'),
('old', 'time(5) /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01.50000', '\x4652fa5c10', '\x0c010000000000000120a10700'),
('old', 'time(5) /* mariadb-5.3 */', 11, 0, NULL, '00:00:00.00000', '\x4652fca600', '\x00'),
('old', 'time(5) /* mariadb-5.3 */', 11, 0, NULL, '12:34:56.99999', '\x4760fa629f', '\x0c00000000000c223836420f00'),
('old', 'datetime(6) /* mariadb-5.3 */', 12, 0, NULL, '9999-12-31 23:59:59.999999', '\x04fcee3943bfffff', '\x0b0f270c1f173b3b3f420f00'),
('old', 'datetime(6) /* mariadb-5.3 */', 12, 0, NULL, '0000-00-00 00:00:00.000000', '\x0000000000000000', '\x00'),
('old', 'datetime(6) /* mariadb-5.3 */', 12, 0, NULL, '1000-01-02 03:04:05.123456', '\x007fb41aa951f580', '\x0be803010203040540e20100'),
('old', 'timestamp(6) /* mariadb-5.3 */', 7, 0, NULL, '1970-01-01 00:00:01.500000', '\x0000000107a120', '\x0bb207010100000120a10700'),
('old', 'timestamp(6) /* mariadb-5.3 */', 7, 0, NULL, '0000-00-00 00:00:00.000000', '\x00000000000000', '\x00'),
('old', 'timestamp(6) /* mariadb-5.3 */', 7, 0, NULL, '2038-01-19 03:14:07.999999', '\x7fffffff0f423f', '\x0bf6070113030e073f420f00'),
('old', 'time(6) /* mariadb-5.3 */', 11, 0, NULL, '838:59:59.000000', '\x057e7badb5c0', '\x080022000000163b3b'),
('old', 'time(6) /* mariadb-5.3 */', 11, 0, NULL, '-838:59:59.000000', '\x0000000f4240', '\x080122000000163b3b'),
('old', 'time(6) /* mariadb-5.3 */', 11, 0, NULL, '-00:00:01.500000', '\x02bf3dc798a0', '\x0c010000000000000120a10700'),
('old', 'time(6) /* mariadb-5.3 */', 11, 0, NULL, '00:00:00.000000', '\x02bf3dde7c00', '\x00'),
('old', 'time(6) /* mariadb-5.3 */', 11, 0, NULL, '12:34:56.999999', '\x02c9c9c7da3f', '\x0c00000000000c22383f420f00');

-- Strings
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('text', 'char(10)', 254, 10494, 'utf8mb4', 'abc', '\x03616263', '\x03616263'),
('text', 'char(10)', 254, 10494, 'utf8mb4', '', '\x00', '\x00'),
('text', 'char(10)', 254, 10494, 'utf8mb4', 'äöü😀', '\x0ac3a4c3b6c3bcf09f9880', '\x0ac3a4c3b6c3bcf09f9880'),
('text', 'char(255)', 254, 64718, 'utf8mb4', 'é', '\x0200c3a9', '\x02c3a9'),
('text', 'char(64)', 254, 238, 'utf8mb4', 'é', '\x0200c3a9', '\x02c3a9'),
('text', 'char(255)', 254, 65534, 'latin1', 'é', '\x01e9', '\x01e9'),
('text', 'char(0)', 254, 254, 'latin1', '', '\x00', '\x00'),
('text', 'varchar(0)', 15, 0, 'latin1', '', '\x00', '\x00'),
('text', 'varchar(63)', 15, 252, 'utf8mb4', 'é ', '\x03c3a920', '\x03c3a920'),
('text', 'varchar(64)', 15, 256, 'utf8mb4', 'é ', '\x0300c3a920', '\x03c3a920'),
('text', 'varchar(255)', 15, 255, 'latin1', 'abc', '\x03616263', '\x03616263'),
('text', 'varchar(256)', 15, 256, 'latin1', 'abc', '\x0300616263', '\x03616263'),
('text', 'tinytext', 252, 1, 'utf8mb4', 'a€', '\x0461e282ac', '\x0461e282ac'),
('text', 'text', 252, 2, 'utf8mb4', 'a€', '\x040061e282ac', '\x0461e282ac'),
('text', 'mediumtext', 252, 3, 'utf8mb4', 'a€', '\x04000061e282ac', '\x0461e282ac'),
('text', 'longtext', 252, 4, 'utf8mb4', 'a€', '\x0400000061e282ac', '\x0461e282ac'),
('text', 'json', 252, 4, NULL, '{"a": 1,  "a": 2}', '\x110000007b2261223a20312c20202261223a20327d', '\x117b2261223a20312c20202261223a20327d'),
('text', 'json', 252, 4, NULL, '"\u0000"', '\x08000000225c753030303022', '\x08225c753030303022'),
('text', 'json', 252, 4, NULL, '123456789012345678901234567890.5', '\x200000003132333435363738393031323334353637383930313233343536373839302e35', '\x203132333435363738393031323334353637383930313233343536373839302e35');

-- Character sets
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('charset', 'varchar(20)', 15, 20, 'latin1', '€', '\x0180', '\x0180'),
('charset', 'varchar(20)', 15, 20, 'latin1', '', '\x0181', '\x0181'),
('charset', 'varchar(20)', 15, 20, 'latin1', 'éÿ', '\x02e9ff', '\x02e9ff'),
('charset', 'varchar(20)', 15, 60, 'utf8mb3', 'é€', '\x05c3a9e282ac', '\x05c3a9e282ac'),
('charset', 'varchar(20)', 15, 80, 'utf8mb4', '😀', '\x04f09f9880', '\x04f09f9880'),
('charset', 'varchar(20)', 15, 40, 'ucs2', 'aé€', '\x06006100e920ac', '\x06006100e920ac'),
('charset', 'varchar(20)', 15, 80, 'utf16', 'a😀', '\x060061d83dde00', '\x060061d83dde00'),
('charset', 'varchar(20)', 15, 80, 'utf16le', 'a😀', '\x0661003dd800de', '\x0661003dd800de'),
('charset', 'varchar(20)', 15, 80, 'utf32', 'a😀', '\x08000000610001f600', '\x08000000610001f600'),
('charset', 'varchar(20)', 15, 40, 'sjis', 'あ\', '\x0482a0815f', '\x0482a0815f'),
('charset', 'varchar(20)', 15, 40, 'sjis', 'ｱ', '\x01b1', '\x01b1'),
('charset', 'varchar(20)', 15, 40, 'cp932', '￢', '\x04f040fa54', '\x04f040fa54'),
('charset', 'varchar(20)', 15, 60, 'ujis', 'あ〜', '\x04a4a2a1c1', '\x04a4a2a1c1'),
('charset', 'varchar(20)', 15, 60, 'ujis', '¦', '\x038fa2c3', '\x038fa2c3'),
('charset', 'varchar(20)', 15, 60, 'ujis', '', '\x02f5a1', '\x02f5a1'),
('charset', 'varchar(20)', 15, 60, 'eucjpms', '～', '\x02a1c1', '\x02a1c1'),
('charset', 'varchar(20)', 15, 20, 'cp1251', 'При', '\x03cff0e8', '\x03cff0e8'),
('charset', 'varchar(20)', 15, 20, 'koi8r', 'При', '\x03f0d2c9', '\x03f0d2c9'),
('charset', 'varchar(20)', 15, 20, 'greek', 'α', '\x01e1', '\x01e1'),
('charset', 'varchar(20)', 15, 40, 'gbk', '你', '\x02c4e3', '\x02c4e3'),
('charset', 'varchar(20)', 15, 40, 'big5', '你', '\x02a741', '\x02a741'),
('charset', 'varchar(20)', 15, 40, 'euckr', '가', '\x02b0a1', '\x02b0a1'),
('charset', 'varchar(20)', 15, 40, 'euckr', '갂', '\x028141', '\x028141'),
('charset', 'varchar(20)', 15, 40, 'gb2312', '你', '\x02c4e3', '\x02c4e3'),
('charset', 'varchar(20)', 15, 20, 'tis620', 'ก', '\x01a1', '\x01a1'),
('charset', 'varchar(20)', 15, 20, 'armscii8', 'Ա', '\x01b2', '\x01b2');

-- Byte strings; zeros at the end of BINARY are not in the image
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('bytes', 'binary(16)', 254, 4350, NULL, '\x00112233445566778899aabbccddee00', '\x0f00112233445566778899aabbccddee', '\x1000112233445566778899aabbccddee00'),
('bytes', 'binary(16)', 254, 4350, NULL, '\x00000000000000000000000000000000', '\x00', '\x1000000000000000000000000000000000'),
('bytes', 'binary(16)', 254, 4350, NULL, '\x00000000000000000000000000000000', '\x00', '\x1000000000000000000000000000000000'),
('bytes', 'binary(255)', 254, 65534, NULL, '\x610000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000', '\x0161', '\xfcff00610000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000'),
('bytes', 'varbinary(20)', 15, 20, NULL, '\x610000', '\x03610000', '\x03610000'),
('bytes', 'varbinary(20)', 15, 20, NULL, '\x', '\x00', '\x00'),
('bytes', 'tinyblob', 252, 1, NULL, '\x00ff00', '\x0300ff00', '\x0300ff00'),
('bytes', 'blob', 252, 2, NULL, '\x00ff00', '\x030000ff00', '\x0300ff00'),
('bytes', 'mediumblob', 252, 3, NULL, '\x00ff00', '\x03000000ff00', '\x0300ff00'),
('bytes', 'longblob', 252, 4, NULL, '\x00ff00', '\x0300000000ff00', '\x0300ff00');

-- COMPRESSED: empty, plain, zlib with and without its header
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('compressed', 'varchar(3000) /*M!100301 COMPRESSED*/', 141, 3001, 'latin1', '', '\x0000', '\x00'),
('compressed', 'varchar(3000) /*M!100301 COMPRESSED*/', 141, 3001, 'latin1', 'short', '\x06000073686f7274', '\x0573686f7274'),
('compressed', 'varchar(3000) /*M!100301 COMPRESSED*/', 141, 3001, 'latin1', 'éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé', '\x0e0081c8789c7bf9727800007b15b609', '\xc8e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9'),
('compressed', 'text /*M!100301 COMPRESSED*/', 140, 2, 'utf8mb4', '', '\x0000', '\x00'),
('compressed', 'text /*M!100301 COMPRESSED*/', 140, 2, 'utf8mb4', 'short', '\x06000073686f7274', '\x0573686f7274'),
('compressed', 'text /*M!100301 COMPRESSED*/', 140, 2, 'utf8mb4', 'long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long ', '\x140082012c789ccbc9cf4b57c81925882100194c6cc1', '\xfc2c016c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e67206c6f6e6720'),
('compressed', 'blob /*M!100301 COMPRESSED*/', 140, 2, NULL, '\x', '\x0000', '\x00'),
('compressed', 'blob /*M!100301 COMPRESSED*/', 140, 2, NULL, '\x00ff', '\x03000000ff', '\x0200ff'),
('compressed', 'blob /*M!100301 COMPRESSED*/', 140, 2, NULL, '\x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff', '\x0f0081c8789c63f8cf302c2000ebf2639d', '\xc800ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff'),
('compressed', 'blob /*M!100301 COMPRESSED*/', 140, 2, NULL, '\x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff', '\x090089c863f8cf302c2000', '\xc800ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff');

-- ENUM and SET
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('labels', 'enum(''a'',''b''''c'',''d\\e'','''')', 254, 503, NULL, 'a', '\x01', '\x0100000000000000'),
('labels', 'enum(''a'',''b''''c'',''d\\e'','''')', 254, 503, NULL, 'b''c', '\x02', '\x0200000000000000'),
('labels', 'enum(''a'',''b''''c'',''d\\e'','''')', 254, 503, NULL, 'd\e', '\x03', '\x0300000000000000'),
('labels', 'enum(''a'',''b''''c'',''d\\e'','''')', 254, 503, NULL, '', '\x04', '\x0400000000000000'),
('labels', 'enum(''a'',''b''''c'',''d\\e'','''')', 254, 503, NULL, '', '\x00', '\x0000000000000000'),
('labels', (SELECT format('enum(%s)', string_agg(format('''l%s''', n), ',')) FROM generate_series(1, 300) n), 254, 759, NULL, 'l1', '\x0100', '\x0100000000000000'),
('labels', (SELECT format('enum(%s)', string_agg(format('''l%s''', n), ',')) FROM generate_series(1, 300) n), 254, 759, NULL, 'l256', '\x0001', '\x0001000000000000'),
('labels', (SELECT format('enum(%s)', string_agg(format('''l%s''', n), ',')) FROM generate_series(1, 300) n), 254, 759, NULL, 'l300', '\x2c01', '\x2c01000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 1) n), 254, 504, NULL, '', '\x00', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 1) n), 254, 504, NULL, 'm1', '\x01', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 1) n), 254, 504, NULL, 'm1', '\x01', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 1) n), 254, 504, NULL, 'm1', '\x01', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 8) n), 254, 504, NULL, '', '\x00', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 8) n), 254, 504, NULL, 'm1', '\x01', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 8) n), 254, 504, NULL, 'm1,m8', '\x81', '\x8100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 8) n), 254, 504, NULL, 'm1,m2,m3,m4,m5,m6,m7,m8', '\xff', '\xff00000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 9) n), 254, 760, NULL, '', '\x0000', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 9) n), 254, 760, NULL, 'm1', '\x0100', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 9) n), 254, 760, NULL, 'm1,m9', '\x0101', '\x0101000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 9) n), 254, 760, NULL, 'm1,m2,m3,m4,m5,m6,m7,m8,m9', '\xff01', '\xff01000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 17) n), 254, 1016, NULL, '', '\x000000', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 17) n), 254, 1016, NULL, 'm1', '\x010000', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 17) n), 254, 1016, NULL, 'm1,m17', '\x010001', '\x0100010000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 17) n), 254, 1016, NULL, 'm1,m2,m3,m4,m5,m6,m7,m8,m9,m10,m11,m12,m13,m14,m15,m16,m17', '\xffff01', '\xffff010000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 25) n), 254, 1272, NULL, '', '\x00000000', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 25) n), 254, 1272, NULL, 'm1', '\x01000000', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 25) n), 254, 1272, NULL, 'm1,m25', '\x01000001', '\x0100000100000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 25) n), 254, 1272, NULL, 'm25', '\x00000001', '\x0000000100000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 33) n), 254, 2296, NULL, '', '\x0000000000000000', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 33) n), 254, 2296, NULL, 'm1', '\x0100000000000000', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 33) n), 254, 2296, NULL, 'm1,m33', '\x0100000001000000', '\x0100000001000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 33) n), 254, 2296, NULL, 'm33', '\x0000000001000000', '\x0000000001000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 64) n), 254, 2296, NULL, '', '\x0000000000000000', '\x0000000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 64) n), 254, 2296, NULL, 'm1', '\x0100000000000000', '\x0100000000000000'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 64) n), 254, 2296, NULL, 'm1,m64', '\x0100000000000080', '\x0100000000000080'),
('labels', (SELECT format('set(%s)', string_agg(format('''m%s''', n), ',')) FROM generate_series(1, 64) n), 254, 2296, NULL, 'm64', '\x0000000000000080', '\x0000000000000080');

-- BIT
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('bit', 'bit(1)', 16, 1, NULL, '0', '\x00', '\x0100'),
('bit', 'bit(1)', 16, 1, NULL, '1', '\x01', '\x0101'),
('bit', 'bit(1)', 16, 1, NULL, '1', '\x01', '\x0101'),
('bit', 'bit(1)', 16, 1, NULL, '1', '\x01', '\x0101'),
('bit', 'bit(8)', 16, 256, NULL, '0', '\x00', '\x0100'),
('bit', 'bit(8)', 16, 256, NULL, '1', '\x01', '\x0101'),
('bit', 'bit(8)', 16, 256, NULL, '11111111', '\xff', '\x01ff'),
('bit', 'bit(8)', 16, 256, NULL, '10000000', '\x80', '\x0180'),
('bit', 'bit(9)', 16, 257, NULL, '0', '\x0000', '\x020000'),
('bit', 'bit(9)', 16, 257, NULL, '1', '\x0001', '\x020001'),
('bit', 'bit(9)', 16, 257, NULL, '111111111', '\x01ff', '\x0201ff'),
('bit', 'bit(9)', 16, 257, NULL, '100000000', '\x0100', '\x020100'),
('bit', 'bit(17)', 16, 513, NULL, '0', '\x000000', '\x03000000'),
('bit', 'bit(17)', 16, 513, NULL, '1', '\x000001', '\x03000001'),
('bit', 'bit(17)', 16, 513, NULL, '11111111111111111', '\x01ffff', '\x0301ffff'),
('bit', 'bit(17)', 16, 513, NULL, '10000000000000000', '\x010000', '\x03010000'),
('bit', 'bit(63)', 16, 1799, NULL, '0', '\x0000000000000000', '\x080000000000000000'),
('bit', 'bit(63)', 16, 1799, NULL, '1', '\x0000000000000001', '\x080000000000000001'),
('bit', 'bit(63)', 16, 1799, NULL, '111111111111111111111111111111111111111111111111111111111111111', '\x7fffffffffffffff', '\x087fffffffffffffff'),
('bit', 'bit(63)', 16, 1799, NULL, '100000000000000000000000000000000000000000000000000000000000000', '\x4000000000000000', '\x084000000000000000'),
('bit', 'bit(64)', 16, 2048, NULL, '0', '\x0000000000000000', '\x080000000000000000'),
('bit', 'bit(64)', 16, 2048, NULL, '1', '\x0000000000000001', '\x080000000000000001'),
('bit', 'bit(64)', 16, 2048, NULL, '1111111111111111111111111111111111111111111111111111111111111111', '\xffffffffffffffff', '\x08ffffffffffffffff'),
('bit', 'bit(64)', 16, 2048, NULL, '1000000000000000000000000000000000000000000000000000000000000000', '\x8000000000000000', '\x088000000000000000');

-- UUID and INET
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('net', 'uuid', 254, 4350, NULL, '6ccd780c-baba-1026-9564-5b8c656024db', '\x106ccd780cbaba102695645b8c656024db', '\x106ccd780cbaba102695645b8c656024db'),
('net', 'uuid', 254, 4350, NULL, 'f47ac10b-58cc-4372-a567-0e02b2c3d479', '\x10f47ac10b58cc4372a5670e02b2c3d479', '\x10f47ac10b58cc4372a5670e02b2c3d479'),
('net', 'uuid', 254, 4350, NULL, '018e8f2e-5c5a-7c00-8000-0123456789ab', '\x10018e8f2e5c5a7c0080000123456789ab', '\x10018e8f2e5c5a7c0080000123456789ab'),
('net', 'uuid', 254, 4350, NULL, '00000000-0000-0000-0000-000000000000', '\x00', '\x1000000000000000000000000000000000'),
('net', 'uuid', 254, 4350, NULL, 'f47ac10b-58cc-4372-a567-0e02b2c30000', '\x0ef47ac10b58cc4372a5670e02b2c3', '\x10f47ac10b58cc4372a5670e02b2c30000'),
('net', 'inet6', 254, 4350, NULL, '::', '\x00', '\x1000000000000000000000000000000000'),
('net', 'inet6', 254, 4350, NULL, '::1', '\x1000000000000000000000000000000001', '\x1000000000000000000000000000000001'),
('net', 'inet6', 254, 4350, NULL, '2001:db8::ff00', '\x0f20010db800000000000000000000ff', '\x1020010db800000000000000000000ff00'),
('net', 'inet6', 254, 4350, NULL, '::ffff:192.0.2.1', '\x1000000000000000000000ffffc0000201', '\x1000000000000000000000ffffc0000201'),
('net', 'inet4', 254, 1278, NULL, '0.0.0.0', '\x00', '\x0400000000'),
('net', 'inet4', 254, 1278, NULL, '10.0.0.0', '\x010a', '\x040a000000'),
('net', 'inet4', 254, 1278, NULL, '255.255.255.255', '\x04ffffffff', '\x04ffffffff');

-- GEOMETRY
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('geometry', 'geometry', 255, 4, NULL, '\x000000000101000000000000000000f03f0000000000000040', '\x19000000000000000101000000000000000000f03f0000000000000040', '\x19000000000101000000000000000000f03f0000000000000040'),
('geometry', 'geometry', 255, 4, NULL, '\xe610000001020000000200000000000000000000000000000000000000000000000000f03f000000000000f03f', '\x2d000000e610000001020000000200000000000000000000000000000000000000000000000000f03f000000000000f03f', '\x2de610000001020000000200000000000000000000000000000000000000000000000000f03f000000000000f03f'),
('geometry', 'geometry', 255, 4, NULL, '\x000000000103000000010000000400000000000000000000000000000000000000000000000000f03f0000000000000000000000000000f03f000000000000f03f00000000000000000000000000000000', '\x51000000000000000103000000010000000400000000000000000000000000000000000000000000000000f03f0000000000000000000000000000f03f000000000000f03f00000000000000000000000000000000', '\x51000000000103000000010000000400000000000000000000000000000000000000000000000000f03f0000000000000000000000000000f03f000000000000f03f00000000000000000000000000000000'),
('geometry', 'geometry', 255, 4, NULL, '\xe61000000107000000020000000101000000000000000000f03f000000000000004001020000000200000000000000000000000000000000000000000000000000f03f000000000000f03f', '\x4b000000e61000000107000000020000000101000000000000000000f03f000000000000004001020000000200000000000000000000000000000000000000000000000000f03f000000000000f03f', '\x4be61000000107000000020000000101000000000000000000f03f000000000000004001020000000200000000000000000000000000000000000000000000000000f03f000000000000f03f'),
('geometry', 'point', 255, 4, NULL, '\xe61000000101000000000000000000f03f0000000000000040', '\x19000000e61000000101000000000000000000f03f0000000000000040', '\x19e61000000101000000000000000000f03f0000000000000040');

-- By hand: what this server cannot hold or store.
INSERT INTO sample (grp, column_type, wire_type, wire_meta, charset, mariadb, image, protocol) VALUES
('real', 'double', 5, 8, NULL, '-0', '\x0000000000000080', '\x0000000000000080'),
('date', 'date', 10, 0, NULL, '2024-02-31', '\x5fd00f', '\x04e807021f'),
('date', 'date', 10, 0, NULL, '0000-03-01', '\x610000', '\x0400000301'),
('date', 'timestamp', 17, 0, NULL, '2106-02-07 06:28:15', '\xffffffff', '\x073a080207061c0f'),
('vector', 'vector(2)', 15, 8, NULL, '[1.5,-2]', '\x080000c03f000000c0', '\x080000c03f000000c0'),
('vector', 'vector(64)', 15, 256, NULL, '64 zeros', ('\x0001' || repeat('00', 256))::bytea, ('\xfc0001' || repeat('00', 256))::bytea);

-- Both dialects give the same datum.
SELECT column_type, mariadb, pg_temp.decode(s, 'image') AS image,
	   pg_temp.decode(s, 'protocol') AS protocol
FROM sample s
WHERE pg_temp.decode(s, 'image') IS DISTINCT FROM pg_temp.decode(s, 'protocol')
ORDER BY id;

\pset format unaligned
SELECT CASE WHEN length(column_type) > 40 THEN left(column_type, 40) || '...' ELSE column_type END AS column_type,
	   charset, left(mariadb, 80) AS mariadb,
	   left(pg_temp.decode(s, 'image'), 80) AS decoded
FROM sample s WHERE grp <> 'charset' ORDER BY id;

-- The characters' code points: not every terminal has them.
SELECT charset, mariadb = pg_temp.decode(s, 'image') AS same,
	   (SELECT string_agg('U+' || upper(to_hex(ascii(c))), ' ' ORDER BY n)
		FROM regexp_split_to_table(pg_temp.decode(s, 'image'), '') WITH ORDINALITY AS t(c, n)) AS decoded
FROM sample s WHERE grp = 'charset' ORDER BY id;

-- As text every kind says what MariaDB says, but FLOAT and DOUBLE say it exactly.
SELECT column_type, mariadb, pg_temp.decode(s, 'image', '{}', 'text') AS decoded
FROM sample s
WHERE grp NOT IN ('bytes', 'compressed', 'geometry', 'vector', 'bit')
  AND pg_temp.decode(s, 'image', '{}', 'text') IS DISTINCT FROM mariadb
ORDER BY id;

-- A value that is cut short anywhere is an error, and so is a byte too many.
SELECT dialect, split_part(pg_temp.decode(cut, dialect), ':', 1) AS sqlstate, count(*) > 1000 AS many
FROM sample s, (VALUES ('image'), ('protocol')) d(dialect),
	 generate_series(0, length(CASE dialect WHEN 'image' THEN s.image ELSE s.protocol END) - 1) n,
	 LATERAL (SELECT s.id, s.grp, s.column_type, s.wire_type, s.wire_meta, s.charset, s.mariadb,
			  substr(s.image, 1, n) AS image, substr(s.protocol, 1, n) AS protocol) AS c,
	 LATERAL (SELECT c::text::sample AS cut) AS r
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT dialect, pg_temp.decode(longer, dialect) AS error, count(*) > 300 AS many
FROM sample s, (VALUES ('image'), ('protocol')) d(dialect),
	 LATERAL (SELECT s.id, s.grp, s.column_type, s.wire_type, s.wire_meta, s.charset, s.mariadb,
			  s.image || '\x00' AS image, s.protocol || '\x00' AS protocol) AS c,
	 LATERAL (SELECT c::text::sample AS longer) AS r
GROUP BY 1, 2 ORDER BY 1, 2;

-- Which types of a table map a column takes.
SELECT types, string_agg(column_type, ', ' ORDER BY column_type COLLATE "C") AS columns
FROM (SELECT regexp_replace(column_type, '(?<=^(enum|set)).*', '') AS column_type,
			 array_agg(DISTINCT t ORDER BY t) AS types
	  FROM (SELECT DISTINCT ON (column_type, wire_type, wire_meta) * FROM sample) s, generate_series(0, 255) t,
		   unnest(ARRAY[0, 1, 2, 3, 4, 5, 6, 8, s.wire_meta]) meta,
		   LATERAL (SELECT row(s.id, s.grp, s.column_type, t, meta, s.charset, s.mariadb, s.image, s.protocol)::sample AS other) o
	  WHERE coalesce(pg_temp.decode(other, 'image'), '') NOT LIKE '42804: %'
	  GROUP BY 1) x
GROUP BY types ORDER BY types;

-- Which of the server's types take a column's values, without a typmod.
SELECT targets, string_agg(column_type, ', ' ORDER BY column_type COLLATE "C") AS columns
FROM (SELECT regexp_replace(column_type, '(?<=^(enum|set)).*', '') AS column_type,
			 string_agg(DISTINCT name, ', ' ORDER BY name) AS targets
	  FROM (SELECT DISTINCT ON (column_type) * FROM sample ORDER BY column_type, id) s,
		   (SELECT oid::regtype AS type, oid::regtype::text COLLATE "C" AS name FROM pg_type
			WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b') t
	  WHERE coalesce(pg_temp.decode(s, 'image', '{}', type), '') NOT LIKE '42804: %'
	  GROUP BY 1) x
GROUP BY targets ORDER BY targets;
\pset format aligned

SELECT mariadb_sync._decode_value('int(11)', 8, 0, 'image', '\x0000000000000000');
SELECT mariadb_sync._decode_value('decimal(10,3)', 246, 10 + 2 * 256, 'image', '\x8000000000');
SELECT mariadb_sync._decode_value('datetime(3)', 18, 6, 'image', '\x8000000000000000');
SELECT mariadb_sync._decode_value('binary(16)', 254, 254 + 17 * 256, 'image', '\x00');
SELECT mariadb_sync._decode_value('enum(''a'')', 254, 247 + 2 * 256, 'image', '\x0100');
SELECT mariadb_sync._decode_value('varchar(10)', 252, 5, 'image', '\x00');
SELECT mariadb_sync._decode_value('int(11)', 3, 0, 'image', '\x000000');
SELECT mariadb_sync._decode_value('int(11)', 3, 0, 'protocol', '\x000000');
-- 12.3, 123.45, 12.x5, -, 12,34 and nothing
SELECT mariadb_sync._decode_value('decimal(4,2)', 246, 4 + 2 * 256, 'protocol', '\x0431322e33');
SELECT mariadb_sync._decode_value('decimal(4,2)', 246, 4 + 2 * 256, 'protocol', '\x063132332e3435');
SELECT mariadb_sync._decode_value('decimal(4,2)', 246, 4 + 2 * 256, 'protocol', '\x0531322e7835');
SELECT mariadb_sync._decode_value('decimal(4,0)', 246, 4, 'protocol', '\x012d');
SELECT mariadb_sync._decode_value('decimal(4,2)', 246, 4 + 2 * 256, 'protocol', '\x0531322c3334');
SELECT mariadb_sync._decode_value('decimal(4,2)', 246, 4 + 2 * 256, 'protocol', '\x00');

--
-- Policies
--
CREATE TEMP TABLE zero (column_type text, wire_type int, wire_meta int, image bytea);
INSERT INTO zero VALUES
('date', 10, 0, '\x000000'),
('date', 10, 0, '\x00d00f'),
('date', 10, 0, '\x5fd00f'),
('datetime(3)', 18, 3, '\x80000000000000'),
('datetime(3)', 18, 3, '\x99b20010831978'),
('timestamp(2)', 17, 2, '\x0000000000');
SELECT column_type, image, policy,
	   mariadb_sync._decode_value(column_type, wire_type, wire_meta, 'image', image, NULL,
								  jsonb_build_object('zero_date', policy))
FROM zero, unnest(ARRAY['null', 'epoch', '-infinity']) policy;
SELECT column_type, image,
	   mariadb_sync._decode_value(column_type, wire_type, wire_meta, 'image', image, NULL,
								  '{"zero_date": "error"}', 'text') AS as_text
FROM zero;
SELECT mariadb_sync._decode_value('date', 10, 0, 'image', '\x5fd00f', NULL, '{"zero_date": "error"}');
SELECT mariadb_sync._decode_value('datetime(3)', 18, 3, 'image', '\x99b20010831978', NULL, '{"zero_date": "error"}');
SELECT mariadb_sync._decode_value('timestamp', 17, 0, 'image', '\x00000000', NULL, '{"zero_date": "error"}');

SELECT policy, charset,
	   convert_to(mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', image, charset,
											 jsonb_build_object('nul_byte', policy)), 'UTF8')
FROM unnest(ARRAY['strip', 'replace']) policy,
	 (VALUES ('utf8mb4', '\x04610062c3'::bytea || '\xa9'),
			 ('latin1', '\x04610062e9'),
			 ('sjis', '\x0561008fbf00'),
			 ('utf16', '\x06006100000062')) v(charset, bytes),
	 LATERAL (SELECT set_byte(bytes, 0, length(bytes) - 1) AS image) i;
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x03610062');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x03610062', target => 'bytea');

SELECT mariadb_sync._decode_value('tinyint(1)', 1, 0, 'image', image, options => '{"tinyint1_as_boolean": true}')
FROM (VALUES ('\x00'::bytea), ('\x01'), ('\x02'), ('\xff')) v(image);
SELECT mariadb_sync._decode_value('tinyint(4)', 1, 0, 'image', '\x02', options => '{"tinyint1_as_boolean": true}');
SELECT mariadb_sync._decode_value('json', 252, 4, 'image', '\x0f0000007b2261223a312c2261223a2032207d', options => '{"json_as": "jsonb"}');

-- A value that is no JSON, and one that jsonb cannot hold
SELECT mariadb_sync._decode_value('json', 252, 4, 'image', '\x020000007b5d');
SELECT mariadb_sync._decode_value('json', 252, 4, 'image', '\x08000000225c753030303022', options => '{"json_as": "jsonb"}');
SELECT mariadb_sync._decode_value('json', 252, 4, 'image', '\x020000007b5d', target => 'text');

--
-- Text that is not in its character set
--
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x0461eda080', 'utf8mb4');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x0261ff', 'utf8mb3');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x0261ff', 'ascii');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x026198', 'cp1251');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x02d83d', 'utf16');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x04d83dde00', 'ucs2');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x03006100', 'ucs2');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x0400110000', 'utf32');
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x0382a0f0', 'sjis');

-- The Swedish letters of swe7
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image',
	'\x0c' || convert_to('a@[\]^`{|}~z', 'UTF8'), 'swe7');

-- What cannot be translated, by policy
SELECT charset, mariadb_sync._decode_value('varchar(20)', 15, 20, 'image',
	(set_byte('\x00', 0, length(bytes)) || bytes), charset,
	'{"untranslatable": "replace"}')
FROM (VALUES ('utf8mb4', '\x61eda08062'::bytea), ('utf8mb4', '\x61ffc362'),
	('utf8mb4', '\x61f09f98'), ('utf8mb4', '\xff61'), ('ascii', '\x61ff62'), ('swe7', '\x5bff'),
	('cp1251', '\x619862'), ('utf16', '\x0061d83d0062'),
	('utf16le', '\x6100dd'), ('ucs2', '\xd83dde00'),
	('utf32', '\x0011000000000061'), ('sjis', '\x82a0f061'),
	('gbk', '\x61ff62'), ('binary', '\x61ff62')) AS t(charset, bytes);
SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image', '\x0361ff00', 'utf8mb4',
	'{"untranslatable": "replace", "nul_byte": "strip"}');

-- Private characters of the Japanese sets, in the midst of others
SELECT charset, (SELECT string_agg('U+' || upper(to_hex(ascii(c))), ' ' ORDER BY n)
				 FROM regexp_split_to_table(text, '') WITH ORDINALITY AS t(c, n))
FROM (VALUES ('cp932', '\x0782a0f0408260f9fc'::bytea),
			 ('ujis', '\x0aa4a2f5a18ffefea4a461'),
			 ('eucjpms', '\x068fa2b7a1c161')) v(charset, bytes),
	 LATERAL (SELECT mariadb_sync._decode_value('varchar(20)', 15, 20, 'image',
												set_byte(bytes, 0, length(bytes) - 1), charset) AS text) t;

--
-- Damaged values
--
-- no such label, in ENUM and in SET
SELECT mariadb_sync._decode_value('enum(''a'',''b'')', 254, 247 + 256, 'image', '\x03');
SELECT mariadb_sync._decode_value('set(''a'',''b'')', 254, 248 + 256, 'image', '\x04');
-- compressed: unknown method, cut stream, a length that cannot be, no such length
SELECT mariadb_sync._decode_value('blob /*M!100301 COMPRESSED*/', 140, 2, 'image', '\x03001000ff');
SELECT mariadb_sync._decode_value('blob /*M!100301 COMPRESSED*/', 140, 2, 'image', '\x06008164789c6300');
SELECT mariadb_sync._decode_value('blob /*M!100301 COMPRESSED*/', 140, 2, 'image', '\x0600843fffffff0300');
SELECT mariadb_sync._decode_value('blob /*M!100301 COMPRESSED*/', 140, 2, 'image', '\x0300870102');
SELECT mariadb_sync._decode_value('point', 255, 4, 'image', '\x020000000001');

--
-- Targets that were there before
--
CREATE DOMAIN pg_temp.varchar3 AS varchar(3);
CREATE DOMAIN pg_temp.char3 AS char(3);
CREATE DOMAIN pg_temp.char5 AS char(5);
CREATE DOMAIN pg_temp.numeric52 AS numeric(5,2);
CREATE DOMAIN pg_temp.numeric62 AS numeric(6,2);
CREATE DOMAIN pg_temp.timestamp3 AS timestamp(3);
CREATE DOMAIN pg_temp.interval3 AS interval(3);
CREATE DOMAIN pg_temp.interval_day AS interval day to minute;
CREATE DOMAIN pg_temp.bit9 AS bit(9);
CREATE DOMAIN pg_temp.varbit20 AS varbit(20);
CREATE TYPE pg_temp.ab AS ENUM ('', 'a', 'b');
CREATE TYPE pg_temp.a AS ENUM ('a', 'c');
CREATE TYPE pg_temp.no_empty AS ENUM ('a', 'b');

CREATE TEMP TABLE pair (id serial, column_type text, wire_type int, wire_meta int, image bytea, target text);
INSERT INTO pair (column_type, wire_type, wire_meta, image, target) VALUES
('tinyint(4)', 1, 0, '\x85', 'bigint'), ('tinyint(4)', 1, 0, '\x85', 'numeric'),
('tinyint(4)', 1, 0, '\x85', 'double precision'), ('tinyint(4)', 1, 0, '\x85', 'real'),
('tinyint(4)', 1, 0, '\x01', 'boolean'), ('tinyint(1)', 1, 0, '\x01', 'boolean'),
('smallint(6)', 2, 0, '\x0080', 'pg_temp.numeric62'), ('tinyint(4)', 1, 0, '\x80', 'pg_temp.numeric52'),
('smallint(5) unsigned', 2, 0, '\xffff', 'smallint'), ('int(11)', 3, 0, '\xffffffff', 'smallint'),
('int(11)', 3, 0, '\xffffffff', 'integer'), ('int(10) unsigned', 3, 0, '\xffffffff', 'integer'),
('int(10) unsigned', 3, 0, '\xffffffff', 'bigint'), ('bigint(20)', 8, 0, '\xffffffffffffffff', 'double precision'),
('bigint(20) unsigned', 8, 0, '\xffffffffffffffff', 'bigint'), ('bigint(20) unsigned', 8, 0, '\xffffffffffffffff', 'numeric'),
('int(11)', 3, 0, '\xffffffff', 'varchar'), ('int(11)', 3, 0, '\xffffffff', 'pg_temp.varchar3'),
('float', 4, 4, '\xcdcccc3d', 'double precision'), ('double', 5, 8, '\x9a9999999999b93f', 'real'),
('decimal(5,2)', 246, 517, '\x807b2d', 'pg_temp.numeric52'), ('decimal(6,2)', 246, 518, '\x807b2d', 'pg_temp.numeric52'),
('decimal(6,3)', 246, 774, '\x807b01c8', 'pg_temp.numeric62'), ('decimal(4,0)', 246, 4, '\x84d2', 'smallint'),
('decimal(4,0)', 246, 4, '\x84d2', 'bigint'), ('decimal(5,2)', 246, 517, '\x807b2d', 'integer'),
('decimal(5,2)', 246, 517, '\x807b2d', 'double precision'),
('year(4)', 13, 0, '\x7c', 'integer'), ('year(4)', 13, 0, '\x7c', 'date'),
('date', 10, 0, '\x5dd00f', 'timestamp'), ('date', 10, 0, '\x5dd00f', 'timestamptz'),
('datetime', 18, 0, '\x99b2420000', 'timestamptz'), ('datetime', 18, 0, '\x99b2420000', 'date'),
('datetime(3)', 18, 3, '\x99b24200001388', 'pg_temp.timestamp3'), ('datetime(6)', 18, 6, '\x99b24200000003e8', 'pg_temp.timestamp3'),
('timestamp', 17, 0, '\x65000000', 'timestamp'), ('timestamp', 17, 0, '\x65000000', 'date'),
('time(3)', 19, 3, '\x80c8b81388', 'time'), ('time(3)', 19, 3, '\x80c8b81388', 'pg_temp.interval3'),
('time(6)', 19, 6, '\x80c8b81388ff', 'pg_temp.interval3'), ('time', 19, 0, '\x80c8b8', 'pg_temp.interval_day'),
('char(3)', 254, 3326, '\x0161', 'text'), ('char(3)', 254, 3326, '\x0161', 'pg_temp.char3'),
('char(3)', 254, 3326, '\x03c3a961', 'pg_temp.char5'), ('char(5)', 254, 5374, '\x0161', 'pg_temp.char3'),
('varchar(3)', 15, 12, '\x03c3a961', 'pg_temp.varchar3'), ('varchar(4)', 15, 16, '\x0161', 'pg_temp.varchar3'),
('varchar(3)', 15, 12, '\x0161', 'pg_temp.char5'), ('text', 252, 2, '\x010061', 'pg_temp.varchar3'),
('varchar(9)', 15, 36, '\x027b7d', 'jsonb'), ('varchar(9)', 15, 36, '\x0131', 'integer'),
('varchar(9)', 15, 36, '\x0161', 'name'),
('binary(16)', 254, 4350, '\x0101', 'uuid'), ('binary(15)', 254, 4094, '\x0101', 'uuid'),
('varbinary(16)', 15, 16, '\x0161', 'text'),
('enum(''a'',''b'')', 254, 503, '\x02', 'varchar'), ('enum(''a'',''b'')', 254, 503, '\x02', 'pg_temp.varchar3'),
('enum(''a'',''long'')', 254, 503, '\x02', 'pg_temp.varchar3'), ('enum(''a'',''b'')', 254, 503, '\x02', 'pg_temp.ab'),
('enum(''a'',''b'')', 254, 503, '\x00', 'pg_temp.ab'), ('enum(''a'',''b'')', 254, 503, '\x00', 'pg_temp.no_empty'),
('enum(''a'',''b'')', 254, 503, '\x01', 'pg_temp.a'), ('enum(''a'',''b'')', 254, 503, '\x01', 'integer'),
('set(''a'',''b'')', 254, 504, '\x03', 'text'), ('set(''a'',''b'')', 254, 504, '\x03', 'pg_temp.varchar3'),
('set(''a'',''b'',''c'')', 254, 504, '\x03', 'pg_temp.varchar3'),
('bit(1)', 16, 1, '\x01', 'boolean'), ('bit(2)', 16, 2, '\x01', 'boolean'),
('bit(9)', 16, 257, '\x0101', 'pg_temp.bit9'), ('bit(8)', 16, 256, '\x01', 'pg_temp.bit9'),
('bit(9)', 16, 257, '\x0101', 'pg_temp.varbit20'), ('bit(9)', 16, 257, '\x0101', 'smallint'),
('bit(16)', 16, 512, '\xffff', 'smallint'), ('bit(64)', 16, 2048, '\xffffffffffffffff', 'numeric'),
('bit(64)', 16, 2048, '\xffffffffffffffff', 'bigint'),
('uuid', 254, 4350, '\x0101', 'bytea'), ('inet4', 254, 1278, '\x010a', 'text'), ('inet6', 254, 4350, '\x00', 'cidr'),
('json', 252, 4, '\x020000007b7d', 'varchar'), ('json', 252, 4, '\x020000007b7d', 'pg_temp.varchar3'),
('point', 255, 4, '\x00000000', 'text'), ('vector(1)', 15, 4, '\x040000803f', 'bytea');

CREATE FUNCTION pg_temp.decode(p pair) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN mariadb_sync._decode_value(p.column_type, p.wire_type, p.wire_meta, 'image', p.image,
									  target => p.target::regtype);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_HINT;
	RETURN format('%s: %s. %s', sqlstate, sqlerrm, detail);
END $$;
\pset format unaligned
SELECT column_type, target, pg_temp.decode(p) AS result FROM pair p ORDER BY id;
\pset format aligned

-- The whole of one refusal; out of range for a type that was asked for
SELECT mariadb_sync._decode_value('int(10) unsigned', 3, 0, 'image', '\x00000000', target => 'integer');
SELECT mariadb_sync._decode_value('time', 19, 0, 'image', '\x7fffff', target => 'time');
SELECT mariadb_sync._decode_value('time', 19, 0, 'image', '\x818000', target => 'time');

-- What is not known
SELECT mariadb_sync._decode_value('xmltype', 252, 4, 'image', '\x00');
SELECT mariadb_sync._decode_value('bit(65)', 16, 2049, 'image', '\x000000000000000000', target => 'text');
SELECT mariadb_sync._decode_value('datetime(7)', 18, 7, 'image', '\x99b242000000000000', target => 'text');
SELECT mariadb_sync._decode_value('decimal(66,0)', 246, 66, 'image', '\x80');
SELECT mariadb_sync._decode_value('enum()', 254, 503, 'image', '\x00');
SELECT mariadb_sync._decode_value('int(11)', 3, 0, 'text', '\x00');
SELECT mariadb_sync._decode_value('int(11)', 3, 0, NULL, '\x00');

DROP DOMAIN pg_temp.varchar3, pg_temp.char3, pg_temp.char5, pg_temp.numeric52, pg_temp.numeric62,
	pg_temp.timestamp3, pg_temp.interval3, pg_temp.interval_day, pg_temp.bit9, pg_temp.varbit20;
DROP EXTENSION mariadb_sync;
