/*
 * deadlock.h - waits that the deadlock detector does not see.
 */
#ifndef MS_DEADLOCK_H
#define MS_DEADLOCK_H

extern bool ms_waits_for_me(int pid);

#endif							/* MS_DEADLOCK_H */
