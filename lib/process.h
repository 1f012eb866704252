/* What exists once in a process: the lock under which trackers are made, the first-time preparations, and fork. */
#ifndef TRIP_PROCESS_H
#define TRIP_PROCESS_H

#include "trip.h"

void trip_process_lock(void);
void trip_process_unlock(void);

/* With the process locked: what must be there before the first tracker. TRIP_OK, or TRIP_E_SYSTEM or TRIP_E_NOMEM, and
   then it is tried again next time. */
trip_status trip_process_prepare(void);

#endif
