/*
 * checksum.h - the CRC-32 of binlog events.
 */
#ifndef MS_CHECKSUM_H
#define MS_CHECKSUM_H

extern uint32 ms_checksum(const uint8 *data, size_t len);

#endif							/* MS_CHECKSUM_H */
