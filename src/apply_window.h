/*
 * apply_window.h - which group in flight has touched which key.
 */
#ifndef MS_APPLY_WINDOW_H
#define MS_APPLY_WINDOW_H

typedef struct MsWindow MsWindow;

extern MsWindow *ms_window_create(int nkeys);
extern uint64 ms_window_touch(MsWindow *window, uint64 key, uint64 group);

#endif							/* MS_APPLY_WINDOW_H */
